"""Public test doubles: a memory network in virtual time, and what runs on it."""
