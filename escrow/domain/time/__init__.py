"""Time: working calendars and the waits that are counted in them."""
