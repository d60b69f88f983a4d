r"""Matrix notation → index notation, by the declared shapes: ``X^\top Y`` becomes ``\sum_n X_{nd} Y_{nc}``.

A `Matrix` knows its shape and how to write its entry at given indices. Rank 1 is a column. Nothing is
transposed or stretched to make shapes fit: an axis broadcasts only from size 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from cs231n.pages import ranges
from cs231n.pages import tree as t

ZERO = t.Num(Fraction(0))
ONE = t.Num(Fraction(1))

#: The length of an axis; None for the ones column whose length its neighbours decide.
Axis = t.Tree | None
Fresh = Callable[[t.Tree], t.Index]


@dataclass(frozen=True)
class Matrix:
    """An array without subscripts. ``at`` gives its entry; where an axis has length 1, the index is 0."""

    shape: tuple[Axis, ...]
    at: Callable[[Sequence[t.Tree]], t.Tree]


Value = t.Tree | Matrix


class Mismatch(ValueError):
    """Shapes that do not match. Who catches it knows the place."""


def is_one(axis: Axis) -> bool:
    return axis is not None and ranges.same(axis, ONE)


def show_size(size: Axis) -> str:
    """A size as people write it: ``N``, ``H+2P``."""
    if size is None:
        return "?"
    poly = ranges.polynomial(size) or {}
    text = ""
    for monomial, c in sorted(poly.items(), key=lambda item: (-len(item[0]), item[0])):
        digits = "" if abs(c) == 1 and monomial else str(abs(c))
        text += ("-" if c < 0 else "+" if text else "") + digits + "".join(monomial)
    return text or "0"


def show(value: Value | Sequence[Axis]) -> str:
    if isinstance(value, t.Tree):
        return "a single number"
    shape = value.shape if isinstance(value, Matrix) else value
    return "(" + ", ".join(show_size(axis) for axis in shape) + ")"


def collapse(value: Matrix) -> Value:
    """A 1 × 1 matrix is a number."""
    if all(is_one(axis) for axis in value.shape):
        return value.at([ZERO] * len(value.shape))
    return value


def named(shape: Sequence[t.Tree], entry: Callable[[tuple[t.Tree, ...]], t.Tree]) -> Matrix:
    """A tensor by its name alone. One of rank 1 is a column."""
    if len(shape) == 1:
        return Matrix((shape[0], ONE), lambda ij: entry((ij[0],)))
    return Matrix(tuple(shape), lambda indices: entry(tuple(indices)))


def ones(size: Axis) -> Matrix:
    return Matrix((size, ONE), lambda _: ONE)


def unify(a: Sequence[Axis], b: Sequence[Axis]) -> tuple[Axis, ...]:
    """The shape of two arrays side by side; each axis equal, or 1 in one of them."""
    if len(a) != len(b):
        raise Mismatch(f"shapes do not match: {show(a)} and {show(b)}")
    shape: list[Axis] = []
    for left, right in zip(a, b, strict=True):
        if left is None or right is None:
            shape.append(right if left is None else left)
        elif ranges.same(left, right) or is_one(right):
            shape.append(left)
        elif is_one(left):
            shape.append(right)
        else:
            raise Mismatch(f"shapes do not match: {show(a)} and {show(b)}")
    return tuple(shape)


def elementwise(build: Callable[..., t.Tree], values: Sequence[Value]) -> Value:
    """Apply ``build`` entry by entry; numbers go with every entry."""
    matrices = [v for v in values if isinstance(v, Matrix)]
    if not matrices:
        return build(*values)
    shape = matrices[0].shape
    for matrix in matrices[1:]:
        shape = unify(shape, matrix.shape)

    def at(indices: Sequence[t.Tree]) -> t.Tree:
        return build(*(v if isinstance(v, t.Tree) else _broadcast(v, indices) for v in values))

    return collapse(Matrix(shape, at))


def _broadcast(matrix: Matrix, indices: Sequence[t.Tree]) -> t.Tree:
    return matrix.at([ZERO if is_one(axis) else i for axis, i in zip(matrix.shape, indices, strict=True)])


def _two(value: Matrix, what: str) -> tuple[Axis, Axis]:
    if len(value.shape) != 2:
        raise Mismatch(f"{what} needs rank 1 or 2, not {show(value)}")
    return value.shape[0], value.shape[1]


def transpose(value: Matrix) -> Value:
    rows, columns = _two(value, "a transpose")
    return Matrix((columns, rows), lambda ij: value.at((ij[1], ij[0])))


def product(a: Matrix, b: Matrix, fresh: Fresh) -> Value:
    """The matrix product: the last axis of ``a`` runs with the first of ``b``."""
    rows, left = _two(a, "a matrix product")
    right, columns = _two(b, "a matrix product")
    inner = right if left is None else left
    if inner is None:
        raise Mismatch(r"the length of the ones is open here: write \mathbf 1_N")
    if right is not None and not ranges.same(inner, right):
        raise Mismatch(f"shapes do not match in a matrix product: {show(a)} and {show(b)}")

    def at(ij: Sequence[t.Tree]) -> t.Tree:
        if is_one(inner):
            return t.Mul((a.at((ij[0], ZERO)), b.at((ZERO, ij[1]))))
        k = fresh(inner)
        return t.Sum(k, t.Mul((a.at((ij[0], k)), b.at((k, ij[1])))))

    return collapse(Matrix((rows, columns), at))


def _sum_over(axis: Axis, fresh: Fresh, body: Callable[[t.Tree], t.Tree]) -> t.Tree:
    if axis is None:
        raise Mismatch(r"the length of the ones is open here: write \mathbf 1_N")
    if is_one(axis):
        return body(ZERO)
    k = fresh(axis)
    return t.Sum(k, body(k))


def row_sum(value: Matrix, fresh: Fresh) -> Value:
    rows, columns = _two(value, "rowsum")
    return collapse(Matrix((rows, ONE), lambda ij: _sum_over(columns, fresh, lambda k: value.at((ij[0], k)))))


def column_sum(value: Matrix, fresh: Fresh) -> Value:
    rows, columns = _two(value, "colsum")
    return collapse(Matrix((ONE, columns), lambda ij: _sum_over(rows, fresh, lambda k: value.at((k, ij[1])))))


def total(value: Matrix, fresh: Fresh, entry: Callable[[t.Tree], t.Tree] = lambda x: x) -> t.Tree:
    """The sum of ``entry`` of all entries."""

    def over(axes: Sequence[Axis], indices: tuple[t.Tree, ...]) -> t.Tree:
        if not axes:
            return entry(value.at(indices))
        return _sum_over(axes[0], fresh, lambda k: over(axes[1:], (*indices, k)))

    return over(value.shape, ())


def trace(value: Matrix, fresh: Fresh) -> t.Tree:
    rows, columns = _two(value, "tr")
    if rows is None or columns is None or not ranges.same(rows, columns):
        raise Mismatch(f"tr needs a square matrix, not {show(value)}")
    return _sum_over(rows, fresh, lambda k: value.at((k, k)))


def diagonal(value: Matrix) -> Value:
    """A column becomes a diagonal matrix, a square matrix becomes the column of its diagonal."""
    rows, columns = _two(value, "diag")
    if is_one(columns):
        return Matrix((rows, rows), lambda ij: t.Mul((t.Delta(ij[0], ij[1]), value.at((ij[0], ZERO)))))
    if rows is not None and columns is not None and ranges.same(rows, columns):
        return Matrix((rows, ONE), lambda ij: value.at((ij[0], ij[0])))
    raise Mismatch(f"diag needs a column or a square matrix, not {show(value)}")


class Letters:
    """Gives out index letters: the declared ones of that size first, none that the formula itself uses."""

    def __init__(self, declared: Iterable[t.Index], taken: Iterable[str]) -> None:
        self._declared = list(declared)
        self._taken = set(taken)
        self._reserved = self._taken | {index.name for index in self._declared}

    def copy(self) -> Letters:
        """The letters as they are now: two sides of a claim may bind the same ones."""
        return Letters(self._declared, self._taken)

    def fresh(self, size: t.Tree) -> t.Index:
        alike = [index for index in self._declared if ranges.same(index.size, size)]
        for index in alike:
            if index.name not in self._taken:
                self._taken.add(index.name)
                return index
        stem = alike[0].name if alike else "i"
        number = 2
        while f"{stem}{number}" in self._reserved:
            number += 1
        name = f"{stem}{number}"
        self._taken.add(name)
        self._reserved.add(name)
        return t.Index(name, size)
