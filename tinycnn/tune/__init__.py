"""Which kernels are the fastest on this machine: each layer's choices, measured, and the fastest kept in a file."""
