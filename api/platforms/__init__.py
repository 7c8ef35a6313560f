"""Platforms over HTTP: their own money, their configuration, and the functions that are switched on."""
