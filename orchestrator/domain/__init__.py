"""Pure values and rules. No clock, no I/O, no logging: every instant comes in as a parameter."""
