"""What the fast forms share: when to go block by block, and how large a block is."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

#: A block has about so many bytes: few enough for the cache, and so many that Python's share of the time is small.
BYTES = 1 << 20


def worthwhile(x: np.ndarray, *others: np.ndarray) -> bool:
    """Whether blocks pay: `x` is larger than one, and all arrays hold numbers of one type that BLAS knows.

    Everything else goes to the plain form, which is as fast when all fits into the cache, knows all other types, and
    says what is wrong with an argument that does not fit.
    """
    return x.nbytes > BYTES and x.dtype.char in "fd" and all(a.dtype == x.dtype for a in others)


def length(nbytes: int) -> int:
    """How many rows (images, numbers) of so many bytes make a block."""
    return max(1, BYTES // max(1, nbytes))


@contextmanager
def long_rows(size: int) -> Iterator[None]:
    """Inside, NumPy reads a broadcast operand where it stands.

    Else it first fills a buffer of 8192 entries with copies of it, as it does for rows shorter than that; for a mean
    beside a row of 1024 numbers this takes as long as the subtraction. The setting ends with the block.
    """
    with np.errstate():
        if size >= 512:
            np.setbufsize(512)
        yield
