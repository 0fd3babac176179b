"""Frozen values that every part of voxpath speaks of: no I/O, no policy."""
