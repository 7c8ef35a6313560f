"""Withdrawals: their states, the rails and the way along them, what they cost, and payouts."""
