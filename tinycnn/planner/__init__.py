"""A graph made ready to run: kernels and layouts chosen, memory laid out, rows written and verified."""
