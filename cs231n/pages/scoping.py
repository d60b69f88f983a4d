"""Which indices of a formula are free, and which are bound by a sum or a maximum inside it."""

from __future__ import annotations

from cs231n.pages import tree as t


class Scoping:
    """Answers for one formula. It remembers what it has seen, so that asking at every term stays cheap."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[t.Tree, dict[str, t.Index], frozenset[str]]] = {}

    def free(self, tree: t.Tree) -> dict[str, t.Index]:
        """The free indices by name, in the order of their first appearance."""
        return self._look(tree)[1]

    def bound(self, tree: t.Tree) -> frozenset[str]:
        """The names of all indices that are bound somewhere inside."""
        return self._look(tree)[2]

    def _look(self, tree: t.Tree) -> tuple[t.Tree, dict[str, t.Index], frozenset[str]]:
        seen = self._seen.get(id(tree))
        if seen is None:
            seen = (tree, *self._find(tree))  # keeping the tree keeps its id
            self._seen[id(tree)] = seen
        return seen

    def _find(self, tree: t.Tree) -> tuple[dict[str, t.Index], frozenset[str]]:
        if isinstance(tree, t.Index):
            return {tree.name: tree}, frozenset()
        if isinstance(tree, (t.Num, t.Size)):
            return {}, frozenset()
        if isinstance(tree, t.SumTo):
            return self._find_bounded(tree)
        binder = tree.index.name if isinstance(tree, (t.Sum, t.Extremum)) else None
        free: dict[str, t.Index] = {}
        bound: frozenset[str] = frozenset() if binder is None else frozenset({binder})
        for child in [tree.body] if isinstance(tree, (t.Sum, t.Extremum)) else tree.children():
            _, inner, inside = self._look(child)
            for name, index in inner.items():
                if name != binder:
                    free.setdefault(name, index)
            bound |= inside
        return free, bound

    def _find_bounded(self, tree: t.SumTo) -> tuple[dict[str, t.Index], frozenset[str]]:
        """The bounds of a sum lie outside it: their letters are free."""
        _, inner, inside = self._look(tree.body)
        free = {name: index for name, index in inner.items() if name != tree.index.name}
        for bound in (tree.low, tree.high):
            free = {**self._look(bound)[1], **free}
        return free, inside | {tree.index.name}


def free_indices(tree: t.Tree) -> tuple[t.Index, ...]:
    """The free indices of a tree, in the order of their first appearance."""
    return tuple(Scoping().free(tree).values())
