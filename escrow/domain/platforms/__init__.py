"""Platforms: what each may do, its configuration, authorisations, texts and hosted pages."""
