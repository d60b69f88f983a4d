"""The data of the normal form: polynomials over atoms.

An expression is a sum of terms, a term a rational number times a product of *atoms* with rational exponents. An
atom is a size, an entry of a tensor, an indicator, a whole sum over indices, or a function of an expression; its
own arguments are in normal form again. Atoms are interned by a key that spells out everything they are, so equal
atoms are the same object.

Only data lives here. What may be rewritten into what is in `cs231n.calculus.rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from weakref import WeakValueDictionary

Number = int | Fraction


class Undecided(Exception):
    """The engine cannot tell. Never an answer about the statement itself."""


class TooLarge(Undecided):
    """A normal form grew beyond the stated size."""


#: A normal form with more terms than this is given up as *undecided: too large*.
MAX_TERMS = 20_000


@dataclass(frozen=True)
class Moments:
    """What is known of the entries of a random tensor: they are independent of each other and of all other entries.

    Attributes:
        mean: of each entry.
        variance: of each entry.
        symmetric: w and −w have the same distribution, for each entry w (the mean is then 0).
    """

    mean: Poly
    variance: Poly
    symmetric: bool = False

    @property
    def key(self) -> str:
        return f"{self.mean.key}~{self.variance.key}{'~s' if self.symmetric else ''}"


@dataclass(frozen=True)
class Base:
    """What is known of a name: the declaration of a tensor, scalar, labels or named quantity.

    Attributes:
        name: as on the page.
        shape: one size for each subscript.
        sign: ``''``, ``'positive'``, ``'nonnegative'`` or ``'nonzero'``.
        zero_outside: a declared tensor counts as 0 at a subscript out of its range; a named quantity does not.
        classes: for integer tensors, the size that bounds the values: 0 ≤ value < classes.
        generic: its values are not special on a set of positive measure (no mask, no named quantity).
        smooth: it has no ties on a set of positive measure: no mask, and no kink in how it is defined.
        binary: its only values are 0 and 1.
        moments: for a random tensor, what is known of its entries.
        draws: the random tensors that its value depends on; empty for what is not random.
    """

    name: str
    shape: tuple[Poly, ...] = ()
    sign: str = ""
    zero_outside: bool = True
    classes: Poly | None = None
    generic: bool = True
    smooth: bool = True
    binary: bool = False
    moments: Moments | None = None
    draws: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        classes = self.classes.key if self.classes is not None else ""
        if self.draws:
            classes += f"!{self.moments.key if self.moments else ''}!{'|'.join(sorted(self.draws))}"
        marks = (("z", self.zero_outside), ("g", self.generic), ("s", self.smooth), ("b", self.binary))
        flags = "".join(mark for mark, on in marks if on)
        return f"{self.name}!{self.sign[:4]}{flags}!{classes}"


class Var:
    """An index: a name *and* its range. Names that start with ``~`` or ``#`` are the engine's own."""

    __slots__ = ("__weakref__", "key", "name", "size")
    _known: WeakValueDictionary[str, Var] = WeakValueDictionary()

    name: str
    size: Poly
    key: str

    def __new__(cls, name: str, size: Poly) -> Var:
        key = f"{name}@{size.key}"
        self = cls._known.get(key)
        if self is None:
            self = object.__new__(cls)
            self.name, self.size, self.key = name, size, key
            cls._known[key] = self
        return self

    def __repr__(self) -> str:
        return self.name

    @property
    def private(self) -> bool:
        return self.name[0] in "~#"


class Atom:
    """One factor of a term. ``kind`` says what ``data`` holds:

    ========  =====================================  ==============================================
    kind      data                                   meaning
    ========  =====================================  ==============================================
    size      (name, least)                          a size, an integer ≥ least
    prime     (p,)                                   a prime under a root
    pi        ()                                     π
    var       (Var,)                                 an index, read as a number
    entry     (Base, subscripts)                     an entry of a tensor, labels or named quantity
    delta     (e,)                                   1[e = 0], e an integer
    inrange   (e, n)                                 1[0 ≤ e < n], e an integer
    nonneg    (e,)                                   1[e ≥ 0], e an integer
    pos       (e,)                                   1[e > 0], e real
    sum       (Vars, body)                           Σ body over all Vars; body one term, coefficient 1
    exp       (m,)                                   eᵐ; m one term with coefficient 1
    log       (e,)                                   log e
    fn        (name, e)                              sigmoid, erf, sin, cos
    base      (e,)                                   e under a negative or fractional power
    power     (e, x)                                 eˣ with an exponent that is no number
    max       (Var, body)                            the maximum of body over Var
    argmax    (Var, body, at)                        1 where ``at`` is the maximiser
    expect    (body,)                                the expectation of body, one term with coefficient 1
    ========  =====================================  ==============================================

    ``draws`` are the random tensors that its value depends on: none for an expectation.
    """

    __slots__ = ("__weakref__", "data", "draws", "free", "height", "key", "kind", "names")
    _known: WeakValueDictionary[str, Atom] = WeakValueDictionary()

    kind: str
    data: tuple
    key: str
    free: frozenset[Var]
    names: frozenset[str]
    draws: frozenset[str]
    height: int

    def __new__(cls, kind: str, *data: object) -> Atom:
        key = f"{kind}({','.join(_key(d) for d in data)})"
        self = cls._known.get(key)
        if self is None:
            self = object.__new__(cls)
            self.kind, self.data, self.key = kind, data, key
            free: set[Var] = set()
            names: set[str] = set()
            draws: set[str] = set()
            height = 0
            for part in _flatten(data):
                if isinstance(part, Poly):
                    free |= part.free
                    names |= part.names
                    draws |= part.draws
                    height = max(height, part.height)
                elif isinstance(part, Base):
                    names.add(part.name)
                    draws |= part.draws
                elif isinstance(part, Var) and kind == "var":
                    free.add(part)
            for bound in self.bound:
                free.discard(bound)
                height = max(height, int(bound.name[1:]) + 1)
            self.free, self.names, self.height = frozenset(free), frozenset(names), height
            self.draws = frozenset() if kind == "expect" else frozenset(draws)
            cls._known[key] = self
        return self

    @property
    def bound(self) -> tuple[Var, ...]:
        """The indices this atom binds; they are named ``#k``, with k at least the height of what is inside."""
        if self.kind == "sum":
            return self.data[0]
        if self.kind in ("max", "argmax"):
            return (self.data[0],)
        return ()

    @property
    def is_indicator(self) -> bool:
        return self.kind in _INDICATORS

    @property
    def is_binary(self) -> bool:
        """Is it an entry of a tensor of zeros and ones?"""
        return self.kind == "entry" and self.data[0].binary

    def __repr__(self) -> str:
        return self.key

    def spell(self, names: Mapping[Var, str]) -> str:
        """The key with the given indices renamed; used to order bound indices independently of their names."""
        if not names.keys() & self.free:
            return self.key
        inner = {v: n for v, n in names.items() if v not in self.bound}
        return f"{self.kind}({','.join(_spell(d, inner) for d in self.data)})"


_INDICATORS = frozenset({"delta", "inrange", "nonneg", "pos", "argmax"})


def _flatten(data: Iterable) -> Iterable:
    for item in data:
        if isinstance(item, tuple):
            yield from _flatten(item)
        else:
            yield item


def _key(d: object) -> str:
    if isinstance(d, tuple):
        return "[" + ",".join(map(_key, d)) + "]"
    return d if isinstance(d, str) else str(d) if isinstance(d, int) else d.key  # type: ignore[attr-defined]


def _spell(d: object, names: Mapping[Var, str]) -> str:
    if isinstance(d, tuple):
        return "[" + ",".join(_spell(x, names) for x in d) + "]"
    if isinstance(d, Poly):
        return d.spell(names)
    if isinstance(d, Var):
        return f"{names[d]}@{d.size.key}" if d in names else d.key
    return _key(d)


Mono = frozenset[tuple[Atom, Number]]
ONE: Mono = frozenset()


class Poly:
    """A sum of terms: a mapping from products of atoms to non-zero rational coefficients. Immutable."""

    __slots__ = ("_draws", "_free", "_height", "_key", "_names", "terms")
    terms: dict[Mono, Number]

    def __init__(self, terms: dict[Mono, Number]):
        if len(terms) > MAX_TERMS:
            raise TooLarge(f"too large: more than {MAX_TERMS} terms")
        self.terms = terms
        self._key: str | None = None
        self._free: frozenset[Var] | None = None
        self._names: frozenset[str] | None = None
        self._draws: frozenset[str] | None = None
        self._height: int | None = None

    @staticmethod
    def number(q: Number) -> Poly:
        return Poly({ONE: q}) if q else ZERO

    @staticmethod
    def atom(a: Atom, exponent: Number = 1) -> Poly:
        return Poly({frozenset({(a, exponent)}): 1})

    @property
    def key(self) -> str:
        if self._key is None:
            self._key = "+".join(sorted(f"{c}*{mono_key(m)}" for m, c in self.terms.items())) or "0"
        return self._key

    def spell(self, names: Mapping[Var, str]) -> str:
        if not names.keys() & self.free:
            return self.key
        return "+".join(
            sorted(f"{c}*" + "·".join(sorted(f"{a.spell(names)}^{e}" for a, e in m)) for m, c in self.terms.items())
        )

    @property
    def free(self) -> frozenset[Var]:
        if self._free is None:
            self._free = frozenset().union(*(a.free for m in self.terms for a, _ in m))
        return self._free

    @property
    def names(self) -> frozenset[str]:
        if self._names is None:
            self._names = frozenset().union(*(a.names for m in self.terms for a, _ in m))
        return self._names

    @property
    def draws(self) -> frozenset[str]:
        if self._draws is None:
            self._draws = frozenset().union(*(a.draws for m in self.terms for a, _ in m))
        return self._draws

    @property
    def height(self) -> int:
        if self._height is None:
            self._height = max((a.height for m in self.terms for a, _ in m), default=0)
        return self._height

    def atoms(self) -> frozenset[Atom]:
        """The atoms that stand directly in a term."""
        return frozenset(a for m in self.terms for a, _ in m)

    @property
    def constant(self) -> Number | None:
        """The number this is, or None."""
        if not self.terms:
            return 0
        if len(self.terms) == 1 and ONE in self.terms:
            return self.terms[ONE]
        return None

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(self.key)

    def __add__(self, other: Poly) -> Poly:
        if not self.terms:
            return other
        out = dict(self.terms)
        for m, c in other.terms.items():
            total = out.get(m, 0) + c
            if total:
                out[m] = total
            else:
                del out[m]
        return Poly(out)

    def scale(self, q: Number) -> Poly:
        return Poly({m: c * q for m, c in self.terms.items()}) if q else ZERO

    def __neg__(self) -> Poly:
        return self.scale(-1)

    def __sub__(self, other: Poly) -> Poly:
        return self + other.scale(-1)

    def __repr__(self) -> str:
        return self.key


def mono_key(m: Mono) -> str:
    """The product spelt out, its factors in alphabetical order: equal products have equal keys."""
    return "·".join(sorted(f"{a.key}^{e}" for a, e in m))


ZERO = Poly({})
UNIT = Poly({ONE: 1})
