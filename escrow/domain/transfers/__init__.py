"""Moves between sub-accounts, suspense money that goes back, and the comparison with the bank."""
