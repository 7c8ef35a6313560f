"""How a timer at which something falls due is told from a mere pause, by whoever lets time pass between them."""

#: Begins the summary of a timer that is only a pause before somebody is asked again: time brings nothing at its end.
PAUSE = "pause: "
