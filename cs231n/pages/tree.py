r"""The parsed form of a page: what every reader of it works on.

A formula is a tree of the small frozen nodes below. The parser makes it, the engine lowers it to SymPy
(`cs231n.pages.lower`), the independent evaluator walks it (`cs231n.checking.evaluate`), and the
mutants are copies of it with one node changed. It knows no SymPy and no Markdown.

Names are plain strings: ``\hat x`` is ``x_hat``, ``\mathrm{rstd}`` is ``rstd``, ``\mathrm{next\_h}`` is
``next_h``, ``\gamma`` is ``gamma``. A size is written by its name, an index carries its range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from fractions import Fraction


@dataclass(frozen=True)
class Tree:
    """Base of all nodes. ``at`` is the character offset in the display's TeX; it takes no part in equality."""

    at: int = field(default=-1, compare=False, repr=False, kw_only=True)

    def children(self) -> Iterator[Tree]:
        """The direct subtrees, in the order in which they are written."""
        for f in fields(self):
            yield from _trees(getattr(self, f.name))

    def walk(self) -> Iterator[Tree]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children():
            yield from child.walk()


def _trees(value: object) -> Iterator[Tree]:
    if isinstance(value, Tree):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _trees(item)


@dataclass(frozen=True)
class Num(Tree):
    """A rational constant."""

    value: Fraction


@dataclass(frozen=True)
class Size(Tree):
    """A declared size (N, D, a stride …) read as a number."""

    name: str


@dataclass(frozen=True)
class Index(Tree):
    """An index letter with its range: it runs over 0 … size − 1. Also an index read as a number."""

    name: str
    size: Tree


@dataclass(frozen=True)
class Entry(Tree):
    """One number: an entry of a declared tensor or labels, a scalar (no subscripts), or of a named quantity.

    Subscripts are integer trees: an `Index`, an affine expression of indices and sizes, or the entry of
    a labels tensor.
    """

    name: str
    subs: tuple[Tree, ...] = ()


@dataclass(frozen=True)
class Add(Tree):
    """A sum of two or more terms; a subtracted term is a `Neg`."""

    terms: tuple[Tree, ...]


@dataclass(frozen=True)
class Neg(Tree):
    arg: Tree


@dataclass(frozen=True)
class Mul(Tree):
    """A product of two or more factors."""

    factors: tuple[Tree, ...]


@dataclass(frozen=True)
class Div(Tree):
    num: Tree
    den: Tree


@dataclass(frozen=True)
class Pow(Tree):
    base: Tree
    exp: Tree


@dataclass(frozen=True)
class Call(Tree):
    """A function of real arguments: one of `FUNCTIONS`."""

    fn: str
    args: tuple[Tree, ...]


#: Known functions and how many arguments each takes (None: two or more). ``abs`` is also written ``|u|``.
FUNCTIONS: dict[str, int | None] = {
    "sqrt": 1,
    "exp": 1,
    "log": 1,
    "tanh": 1,
    "sigmoid": 1,
    "softplus": 1,
    "erf": 1,
    "sin": 1,
    "cos": 1,
    "abs": 1,
    "max": None,
    "min": None,
    "pi": 0,  # the constant, unless the page declares a name pi
}


@dataclass(frozen=True)
class Sum(Tree):
    """Sum of ``body`` over the whole range of ``index``."""

    index: Index
    body: Tree


@dataclass(frozen=True)
class SumTo(Tree):
    """Sum of ``body`` over low ≤ index ≤ high, two bounds within the range of a time letter; 0 if high < low."""

    index: Index
    low: Tree
    high: Tree
    body: Tree


@dataclass(frozen=True)
class Extremum(Tree):
    """Maximum (``fn='max'``) or minimum (``'min'``) of ``body`` over the whole range of ``index``."""

    fn: str
    index: Index
    body: Tree


@dataclass(frozen=True)
class Relation(Tree):
    """A condition ``left op right`` with op one of ``< <= > >= = !=``."""

    op: str
    left: Tree
    right: Tree


@dataclass(frozen=True)
class Both(Tree):
    """Conditions that hold together, as in 0 ≤ e < N."""

    conditions: tuple[Tree, ...]


@dataclass(frozen=True)
class Indicator(Tree):
    """1 where the condition holds, else 0."""

    condition: Tree


@dataclass(frozen=True)
class Delta(Tree):
    """Kronecker's δ: 1 where the two integers agree, else 0."""

    left: Tree
    right: Tree


@dataclass(frozen=True)
class Cases(Tree):
    """The first branch whose condition holds; the last condition may be None (otherwise)."""

    branches: tuple[tuple[Tree | None, Tree], ...]


@dataclass(frozen=True)
class Expect(Tree):
    """The expectation of ``body`` over all entries of all random tensors."""

    body: Tree


@dataclass(frozen=True)
class Grad(Tree):
    """∂L/∂name at subs, also written ``dname``: the adjoint, over all paths from ``name`` to the output."""

    name: str
    subs: tuple[Tree, ...] = ()


@dataclass(frozen=True)
class Partial(Tree):
    """∂of/∂wrt: the direct partial on ``of``'s own defining line; all other named quantities held fixed."""

    of: Entry
    wrt: Entry


@dataclass(frozen=True)
class Total(Tree):
    """d of/d wrt (upright d): the total derivative through all definitions."""

    of: Entry
    wrt: Entry


# --------------------------------------------------------------------------------------------- declarations


@dataclass(frozen=True)
class SizeDecl:
    """A size, at least ``least``. ``exact`` is what it is where the code runs on symbols, if the page says so."""

    name: str
    means: str = ""
    least: int = 1
    exact: int | None = None


@dataclass(frozen=True)
class Moments:
    """The distribution of each entry of a random tensor, as far as the page knows it.

    Mean and variance are made of numbers, sizes and scalars that are not random. ``symmetric``: w and −w are
    distributed alike. All entries of all random tensors are independent of each other.
    """

    mean: Tree
    variance: Tree
    symmetric: bool = False


@dataclass(frozen=True)
class TensorDecl:
    """A real input. ``sign``: '' | 'positive' | 'nonnegative' | 'nonzero'. A scalar has shape ()."""

    name: str
    shape: tuple[Tree, ...]
    sign: str = ""
    differentiable: bool = True
    values: tuple[Fraction, ...] = ()  # the only values it takes, as (0, 1) for a mask; empty: any real
    means: str = ""
    random: Moments | None = None


@dataclass(frozen=True)
class LabelDecl:
    """Integers in 0 … classes − 1, usable as an index."""

    name: str
    shape: tuple[Tree, ...]
    classes: Tree
    means: str = ""


@dataclass(frozen=True)
class Output:
    """What the gradients are of. ``upstream`` names the incoming gradient; None: ``name`` is the scalar loss."""

    name: str
    upstream: str | None


@dataclass(frozen=True)
class Declarations:
    """The front matter. ``assume`` holds conditions as trees, or the words 'off the kink' and 'no ties'."""

    sizes: dict[str, SizeDecl] = field(default_factory=dict)
    indices: dict[str, Index] = field(default_factory=dict)
    tensors: dict[str, TensorDecl] = field(default_factory=dict)  # scalars too
    labels: dict[str, LabelDecl] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    assume: tuple[Tree | str, ...] = ()
    code: tuple[dict, ...] = ()
    times: tuple[str, ...] = ()  # the indices that are time letters, from 0 up to and with a last step


# ----------------------------------------------------------------------------------------------- statements


@dataclass(frozen=True)
class Definition:
    """``name[params] := value``.

    A recurrence has a ``time`` among its parameters. Its value has two cases: one for time 0, and one for all other
    times, which may read the name itself one step earlier.

    ``clock`` is the parameter that counts time in a line which, through recurrences, stands on earlier entries of
    itself: the ``time`` of a recurrence, and of the gates of an LSTM, which stand on h and which h stands on.
    """

    name: str
    params: tuple[Index, ...]
    value: Tree
    time: Index | None = None
    clock: Index | None = None

    @property
    def axis(self) -> int | None:
        """Which of the parameters is its clock."""
        return None if self.clock is None else [p.name for p in self.params].index(self.clock.name)

    @property
    def cases(self) -> tuple[Tree, Tree]:
        """The value at time 0 and the value at all other times, of a recurrence."""
        if self.time is None or not isinstance(self.value, Cases):
            raise ValueError(f"expected a recurrence, got the definition of {self.name}")
        (_, start), (_, step) = self.value.branches
        return start, step


@dataclass(frozen=True)
class Case:
    """A claim's "for …": all its conditions hold together. Size = integer conditions fix a size."""

    conditions: tuple[Relation, ...] = ()


@dataclass(frozen=True)
class Statement:
    """One relation sign of a page.

    ``kind``: 'definition' | 'claim' | 'mistake' | 'unchecked'. A chain a = b = c gives two claims.
    ``cases`` is empty for a claim without "for …"; else the claim is made in each case, and each is proved.
    ``display`` counts the ``$$ … $$`` of the page from 0; None for an inline relation.
    """

    kind: str
    line: int
    latex: str
    display: int | None
    anchor: str | None = None
    definition: Definition | None = None
    left: Tree | None = None
    right: Tree | None = None
    free: tuple[Index, ...] = ()
    cases: tuple[Case, ...] = ()
    reason: str | None = None  # why it is not checked
    induction: Index | None = None  # the time letter that a claim is proved by induction on


@dataclass(frozen=True)
class Display:
    """One ``$$ … $$`` of the page, for renderers: ``latex`` is what stands between the signs, untouched."""

    number: int
    line: int
    latex: str
    anchor: str | None


@dataclass(frozen=True)
class Page:
    """A page, read. ``definitions`` are in an order in which each uses only earlier ones."""

    path: str
    id: str  # layers/batchnorm
    title: str
    description: str
    declarations: Declarations
    displays: tuple[Display, ...]
    statements: tuple[Statement, ...]
    definitions: dict[str, Definition]
    text: str
