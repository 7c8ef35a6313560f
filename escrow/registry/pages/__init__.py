"""Hosted pages: the links to them and the codes that are typed there."""
