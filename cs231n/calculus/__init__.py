"""The proof engine: equality of tensor expressions in index notation, for every size.

It knows no layer and no Markdown. `cs231n.calculus.bridge.equal` takes SymPy expressions; pages come in through
`cs231n.pages.lower`. Start reading at `cs231n.calculus.algebra` (the data), then
`cs231n.calculus.rules` (what may be rewritten into what) and `cs231n.calculus.zero` (when a difference
is 0).
"""
