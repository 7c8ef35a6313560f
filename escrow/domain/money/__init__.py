"""Money: amounts, accounts, what funds an order, journal entries and the recipes that make them."""
