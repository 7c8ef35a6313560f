"""Members over HTTP: their identity, mobiles, payment passwords and bank accounts."""
