"""Programs at work: the memory of each inference, the team of threads, and what Python computes in between."""
