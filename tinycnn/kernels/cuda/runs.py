"""A thread's share of a tensor: four neighbouring elements, moved as one vector where they are aligned."""

import numpy as np

from tinycnn.kernels.cuda.simt import cuda, inline, load, load4, store, store4

EACH = 4


@inline
def run():
    """Registers for a run."""
    return cuda.local.array(EACH, np.float32)


@inline
def load_run(v, address, left):
    """The `left` elements that exist, at most four, and zeros behind them."""
    if left >= EACH and address & 15 == 0:
        v[0], v[1], v[2], v[3] = load4(address)
    else:
        for i in range(EACH):
            v[i] = load(address + 4 * i) if i < left else np.float32(0)


@inline
def store_run(v, address, left):
    if left >= EACH and address & 15 == 0:
        store4(address, (v[0], v[1], v[2], v[3]))
    else:
        for i in range(EACH):
            if i < left:
                store(address + 4 * i, v[i])
