"""The schema's history, of the books and of the registry, and what brings a database along it."""
