"""Convolutional networks, an architecture a file: a function that writes it with a Builder, and a tuple NETWORKS of
what it is called. Nothing lists the files: `tinycnn.models.architectures` finds them."""
