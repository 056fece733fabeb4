"""`python -m tinycnn` is the command line."""

from tinycnn.cli import main

main()
