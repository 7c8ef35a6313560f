"""Members: who they are, what changed, their identity checks and payment passwords."""
