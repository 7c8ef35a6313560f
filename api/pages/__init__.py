"""Hosted pages: what members do where no platform can read along."""
