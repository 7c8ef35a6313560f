"""The bank sandbox as a counterpart: its wire protocol spoken from our side."""
