"""Durable state: one schema, numbered upgrades, group commit on one writer thread; and the twin in memory."""
