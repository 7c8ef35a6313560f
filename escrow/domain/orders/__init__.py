"""Orders: their states, milestones, splits, and what a command to one consents to."""
