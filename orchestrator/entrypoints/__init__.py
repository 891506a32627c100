"""Ways in: the command line now, web pages later. No logic: each command calls one use case."""
