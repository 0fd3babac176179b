"""Durable state: one schema, numbered upgrades, group commit with one flusher thread; and the twin in memory."""
