"""Counterparties outside the house: the bank, its rails, SMS."""
