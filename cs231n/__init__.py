"""The backward passes of CS231n: NumPy code, and pages that prove it.

The reference code is in `cs231n.layers`, `cs231n.losses` and so on, one concept a module, and needs
NumPy only. ``cs231n prove`` checks the pages. Nothing is imported here, so that ``import cs231n`` costs nothing.
"""

__version__ = "0.1.0"
