"""The proof engine: equality of tensor expressions in index notation, for every size.

It knows no layer and no Markdown. :func:`~cs231n.calculus.bridge.equal` takes SymPy expressions; pages come in through
:mod:`cs231n.pages.lower`. Start reading at :mod:`~cs231n.calculus.algebra` (the data), then
:mod:`~cs231n.calculus.rules` (what may be rewritten into what) and :mod:`~cs231n.calculus.zero` (when a difference
is 0).
"""
