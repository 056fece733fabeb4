"""A thread's share of a tensor: where it is, and four words of it, moved as vectors where they are aligned."""

from typing import Any

import numpy as np

from tinycnn.kernels.cuda.simt import cuda, inline, load, load2, load4, modulo, over, store, store2, store4

EACH = 4  # words of a thread


@inline
def run():
    """Registers for a thread's words."""
    return cuda.local.array(EACH, np.float32)


@inline
def digit(rest, n):
    """The position along a dimension of n, and those along the outer ones; no division where the dimension is none."""
    if n == 1:
        return rest, np.int64(0)
    return over(rest, n), modulo(rest, n)


@inline
def load_run(v, address, left):
    """The `left` neighbours that exist, at most four, and zeros behind them."""
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


@inline
def load_one(v, i, address):
    v[i] = load(address)


@inline
def store_one(v, i, address):
    store(address, v[i])


@inline
def load_pair(v, i, address):
    if address & 7 == 0:
        v[2 * i], v[2 * i + 1] = load2(address)
    else:
        v[2 * i], v[2 * i + 1] = load(address), load(address + 4)


@inline
def store_pair(v, i, address):
    if address & 7 == 0:
        store2(address, (v[2 * i], v[2 * i + 1]))
    else:
        store(address, v[2 * i])
        store(address + 4, v[2 * i + 1])


@inline
def load_four(v, i, address):
    load_run(v, address, EACH)


@inline
def store_four(v, i, address):
    store_run(v, address, EACH)


def piece(words: int) -> tuple[Any, Any]:
    """load(v, i, address) and store(v, i, address) of a thread's piece i, which has 1, 2 or 4 words."""
    return {1: (load_one, store_one), 2: (load_pair, store_pair), 4: (load_four, store_four)}[words]
