"""Lets tests and benchmarks import their neighbours."""

import sys
from pathlib import Path

# Last, so that `tinycnn` is the installed one: beside the sources it would miss converters and models.
sys.path.append(str(Path(__file__).parent))
