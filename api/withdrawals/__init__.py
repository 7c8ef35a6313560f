"""Withdrawals over HTTP: asked for and looked at."""
