"""Platforms: opened from a file, configured, with their accesses, operators and limits."""
