"""Where the time of a network goes: every layer against what this machine can do, as a table, a trace or a picture."""
