"""The port ledger: the only authority on who holds which ports of which public address."""
