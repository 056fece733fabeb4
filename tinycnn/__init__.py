"""tinycnn: an embedded inference engine for convolutional networks, compiled by Numba."""
