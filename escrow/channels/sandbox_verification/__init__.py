"""The sandbox bank's checks that an account belongs to somebody."""
