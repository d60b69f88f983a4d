"""Decides whether an explicit formula is zero everywhere: exact, fast, and of one page's length.

`is_zero` rewrites a SymPy expression as one fraction of polynomials over *generators*: the symbols, one for each
root (r with r² = radicand), one for each exponential e^m of a monomial m, one for each log, cos … Then it multiplies
out the numerator and replaces r² by the radicand. If nothing is left the expression is zero wherever it has a value:
every step is an identity. If something is left and the value at the sample is not 0, the expression is not zero. The
rest (a hidden square under a root, say) is reported as undecided; no answer rests on a sample.

Polynomials are dictionaries {monomial: integer}. A monomial is one integer that holds the exponent of generator g in
its bits 16 g … 16 g + 15, so that monomials multiply by adding. Denominators stay factored; no gcd is ever computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import gcd, lcm
from typing import Any

import mpmath
import sympy

BITS = 16
DIGITS = 60
#: Values smaller than this are taken for a rounded 0 when a sample decides; the samples are of size about 1.
SMALL = mpmath.mpf(10) ** -40

Poly = dict[int, int]
reals = mpmath.mp.clone()
reals.dps = DIGITS


class Undecided(ArithmeticError):
    """Neither proved zero nor seen to be different from zero."""


@dataclass(frozen=True)
class Quotient:
    """num / (scale · ∏ factor^power), the factors given by their numbers in a `Field`."""

    num: Poly
    scale: int
    den: tuple[tuple[int, int], ...]

    @property
    def key(self) -> tuple:
        return frozenset(self.num.items()), self.scale, self.den


def multiply(a: Poly, b: Poly) -> Poly:
    if a == {0: 1} or b == {0: 1}:
        return b if a == {0: 1} else a
    out: Poly = {}
    for m, c in a.items():
        for n, d in b.items():
            out[m + n] = out.get(m + n, 0) + c * d
    return {m: c for m, c in out.items() if c}


def add(a: Poly, b: Poly) -> Poly:
    out = dict(a)
    for m, c in b.items():
        out[m] = out.get(m, 0) + c
    return {m: c for m, c in out.items() if c}


def power(a: Poly, n: int) -> Poly:
    out: Poly = {0: 1}
    for _ in range(n):
        out = multiply(out, a)
    return out


class Field:
    """The fractions over generators that are met on the way. ``at`` gives each symbol its value at the sample."""

    def __init__(self, at: Mapping[sympy.Symbol, Any]) -> None:
        self.at = at
        self.generators: dict[Any, int] = {}  # what it stands for: its number
        self.values: list[Any] = []  # at the sample
        self.roots: dict[int, tuple[int, Poly]] = {}  # generator: (q, P) for r^q = P
        self.factors: dict[frozenset, int] = {}
        self.polys: list[Poly] = []  # the factors, by number
        self.memo: dict[sympy.Expr, Quotient] = {}
        self.hypotheses: dict[str, None] = {}  # signs read off the sample, under which an answer holds

    # --------------------------------------------------------------------------------------- arithmetic

    def generator(self, key: Any, value: Any, root: tuple[int, Poly] | None = None) -> Quotient:
        if key not in self.generators:
            self.generators[key] = len(self.values)
            self.values.append(value)
            if root:
                self.roots[self.generators[key]] = root
        return Quotient({1 << BITS * self.generators[key]: 1}, 1, ())

    def quotient(self, num: Poly, scale: int, den: Mapping[int, int]) -> Quotient:
        """In lowest terms as far as integers and single generators go."""
        if not num:
            return Quotient({}, 1, ())
        common = gcd(scale, *num.values())
        powers = {}
        for factor, n in den.items():
            mono = self.single(factor)
            if mono is not None:
                while n and all((m // mono) % (1 << BITS) for m in num):
                    num, n = {m - mono: c for m, c in num.items()}, n - 1
            if n:
                powers[factor] = n
        return Quotient({m: c // common for m, c in num.items()}, scale // common, tuple(sorted(powers.items())))

    def single(self, factor: int) -> int | None:
        """The monomial of a factor that is one generator."""
        poly = self.polys[factor]
        (mono, *rest) = poly
        return mono if not rest and poly[mono] == 1 else None

    def total(self, parts: Iterable[Quotient]) -> Quotient:
        """The sum, over one denominator for all."""
        parts = list(parts)
        den: dict[int, int] = {}
        for q in parts:
            for factor, n in q.den:
                den[factor] = max(n, den.get(factor, 0))
        scale = lcm(*(q.scale for q in parts))
        num: Poly = {}
        groups: dict[tuple[tuple[int, int], ...], Poly] = {}  # what is over the same denominator is multiplied once
        for q in parts:
            part = {m: c * (scale // q.scale) for m, c in q.num.items()}
            groups[q.den] = add(groups[q.den], part) if q.den in groups else part
        for own, part in groups.items():
            for factor, n in den.items():
                part = multiply(part, power(self.polys[factor], n - dict(own).get(factor, 0)))
            num = add(num, part)
        return self.quotient(num, scale, den)

    def times(self, a: Quotient, b: Quotient) -> Quotient:
        den = dict(a.den)
        for factor, n in b.den:
            den[factor] = den.get(factor, 0) + n
        return self.quotient(multiply(a.num, b.num), a.scale * b.scale, den)

    def denominator(self, q: Quotient) -> Poly:
        poly: Poly = {0: q.scale}
        for factor, n in q.den:
            poly = multiply(poly, power(self.polys[factor], n))
        return poly

    def inverse(self, q: Quotient) -> Quotient:
        poly = self.reduced(q.num)
        if not poly:
            raise ZeroDivisionError("division by an expression that is zero")
        content, poly = _content(poly)
        den: dict[int, int] = {}
        for g, n in self.common(poly).items():
            mono = 1 << BITS * g
            den[self.factor({mono: 1})] = n
            poly = {m - n * mono: c for m, c in poly.items()}
        if poly != {0: 1}:
            den[self.factor(poly)] = 1
        sign = 1 if content > 0 else -1
        num = {m: sign * c for m, c in self.denominator(q).items()}
        return self.quotient(num, abs(content), den)

    def factor(self, poly: Poly) -> int:
        key = frozenset(poly.items())
        if key not in self.factors:
            self.factors[key] = len(self.polys)
            self.polys.append(poly)
        return self.factors[key]

    def common(self, poly: Poly) -> dict[int, int]:
        """The generators that divide every monomial, with their exponents."""
        found = {}
        for g in range(len(self.values)):
            n = min((m >> BITS * g) % (1 << BITS) for m in poly)
            if n:
                found[g] = n
        return found

    def power(self, q: Quotient, n: int) -> Quotient:
        if n < 0:
            q, n = self.inverse(q), -n
        out = Quotient({0: 1}, 1, ())
        for _ in range(n):
            out = self.times(out, q)
        return out

    def reduced(self, poly: Poly) -> Poly:
        """With r^q replaced by its radicand, for all roots, the latest (which may hold earlier ones) first."""
        for g in sorted(self.roots, reverse=True):
            q, radicand = self.roots[g]
            out: Poly = {}
            for mono, c in poly.items():
                times, rest = divmod((mono >> BITS * g) % (1 << BITS), q)
                if times:
                    base = mono - (times * q << BITS * g)
                    assert rest == (base >> BITS * g) % (1 << BITS)
                    out = add(out, multiply({base: c}, power(radicand, times)))
                else:
                    out = add(out, {mono: c})
            poly = out
        return poly

    def value(self, poly: Poly) -> Any:
        """At the sample."""
        total = reals.mpf(0)
        for mono, c in poly.items():
            term = reals.mpf(c)
            g = 0
            while mono:
                mono, n = mono >> BITS, mono % (1 << BITS)
                if n:
                    term *= self.values[g] ** n
                g += 1
            total += term
        return total

    # --------------------------------------------------------------------------------------- conversion

    def convert(self, expr: sympy.Expr) -> Quotient:
        if expr not in self.memo:
            self.memo[expr] = self._convert(expr)
        return self.memo[expr]

    def _convert(self, expr: sympy.Expr) -> Quotient:
        if expr.is_Rational:
            return Quotient({0: int(expr.p)} if expr.p else {}, int(expr.q), ())
        if expr.is_Symbol:
            return self.generator(expr, self.at[expr])
        if expr.is_Add or expr.is_Mul:
            parts = [self.convert(a) for a in expr.args]
            if expr.is_Add:
                return self.total(parts)
            product = parts[0]
            for part in parts[1:]:
                product = self.times(product, part)
            return product
        if expr.is_Pow and expr.exp.is_Rational:
            base = self.convert(expr.base)
            if expr.exp.is_Integer:
                return self.power(base, int(expr.exp))
            return self.power(self.root(expr.base, base, int(expr.exp.q)), int(expr.exp.p))
        if isinstance(expr, sympy.exp):
            return self.exponential(self.convert(expr.args[0]))
        if isinstance(expr, sympy.tanh):  # (e^{2u} − 1) / (e^{2u} + 1)
            e = self.exponential(self.convert(2 * expr.args[0]))
            below = self.inverse(self.total([e, Quotient({0: 1}, 1, ())]))
            return self.times(self.total([e, Quotient({0: -1}, 1, ())]), below)
        if isinstance(expr, sympy.Abs):
            inner = self.convert(expr.args[0])
            return self.times(Quotient({0: self.sign(expr.args[0], inner)}, 1, ()), inner)
        if isinstance(expr, sympy.sign):
            return Quotient({0: self.sign(expr.args[0], self.convert(expr.args[0]))}, 1, ())
        if isinstance(expr, (sympy.sin, sympy.cos)):
            inner = self.convert(expr.args[0])
            at = self.value(inner.num) / self.value(self.denominator(inner))
            cos = self.generator(("cos", inner.key), reals.cos(at))
            if isinstance(expr, sympy.cos):
                return cos
            (mono,) = cos.num  # sin² = 1 − cos²
            return self.generator(("sin", inner.key), reals.sin(at), (2, {0: 1, 2 * mono: -1}))
        if isinstance(expr, (sympy.log, sympy.erf)) or expr is sympy.pi:
            inner = self.convert(expr.args[0]) if expr.args else Quotient({0: 1}, 1, ())
            at = self.value(inner.num) / self.value(self.denominator(inner))
            value = {sympy.log: reals.log, sympy.erf: reals.erf}.get(expr.func, lambda _: +reals.pi)(at)
            return self.generator((expr.func, inner.key), value)
        raise Undecided(f"no rule for {expr.func.__name__} in {expr}")

    def sign(self, expr: sympy.Expr, q: Quotient) -> int:
        """The sign of ``expr``, converted to ``q``, at the sample; it becomes a hypothesis."""
        value = self.value(q.num) / self.value(self.denominator(q))
        if abs(value) < SMALL:
            raise Undecided(f"the sample lies on the kink {expr} = 0")
        if expr.free_symbols and not expr.is_positive:
            self.hypotheses[f"{expr} {'>' if value > 0 else '<'} 0"] = None
        return 1 if value > 0 else -1

    def root(self, expr: sympy.Expr, q: Quotient, order: int) -> Quotient:
        """``expr``^(1/order) for expr = q > 0: the root of the numerator over the roots of the factors below it."""
        sign = 1
        out = Quotient({0: 1}, 1, ())
        scale = [(self.factor({0: q.scale}), 1)] if q.scale > 1 else []
        for factor, n in [*q.den, *scale]:
            poly = self.polys[factor]
            if self.value(poly) < 0:  # −f is positive there
                poly, sign = {m: -c for m, c in poly.items()}, sign * (-1) ** n
            if poly.keys() != {0} and not expr.is_positive:
                self.hypotheses[f"the sign of the denominator of {expr}"] = None
            out = self.times(out, self.power(self.root_of_poly(expr, poly, order), -n))
        num = {m: sign * c for m, c in self.reduced(q.num).items()}
        return self.times(out, self.root_of_poly(expr, num, order)) if num else Quotient({}, 1, ())

    def root_of_poly(self, expr: sympy.Expr, poly: Poly, order: int) -> Quotient:
        """The root of a polynomial that is positive at the sample: of its integer, its generators and what is left."""
        if self.value(poly) < SMALL:
            raise Undecided(f"the root of {expr}, which is not positive at the sample")
        content, poly = _content(poly)
        if content < 0:
            content, poly = -content, {m: -c for m, c in poly.items()}
        out = Quotient({0: 1}, 1, ())
        for prime, n in sympy.factorint(content).items():
            whole, rest = divmod(n, order)
            part = self.generator(("root", order, int(prime)), reals.root(prime, order), (order, {0: int(prime)}))
            out = self.times(out, self.times(Quotient({0: int(prime) ** whole}, 1, ()), self.power(part, rest)))
        for g, n in self.common(poly).items():
            whole = n // order  # the root of g^(order · whole) is |g|^whole
            mono = 1 << BITS * g
            poly = {m - whole * order * mono: c for m, c in poly.items()}
            flip = whole % 2 == 1 and order % 2 == 0
            if flip:
                self.hypotheses[f"the signs of the factors of {expr}"] = None
            out = self.times(out, Quotient({whole * mono: -1 if flip and self.values[g] < 0 else 1}, 1, ()))
        if poly != {0: 1}:
            value = reals.root(self.value(poly), order)
            out = self.times(out, self.generator(("root", order, frozenset(poly.items())), value, (order, poly)))
        return out

    def exponential(self, q: Quotient) -> Quotient:
        out = Quotient({0: 1}, 1, ())
        if q.den:  # e^{−u} is the inverse of e^u, else they would be strangers
            content, _ = _content(q.num)
            if content < 0:
                return self.inverse(self.exponential(Quotient({m: -c for m, c in q.num.items()}, q.scale, q.den)))
            value = reals.exp(self.value(q.num) / self.value(self.denominator(q)))
            return self.generator(("exp", q.key), value)
        for mono, c in q.num.items():  # e^{p m / s} = (e^{m / s})^p
            common = gcd(c, q.scale)
            scale = q.scale // common
            part = self.generator(("exp", mono, scale), reals.exp(self.value({mono: 1}) / scale))
            out = self.times(out, self.power(part, c // common))
        return out


def _content(poly: Poly) -> tuple[int, Poly]:
    """The common integer factor, with the sign of the leading coefficient, and what is left."""
    if not poly:
        return 1, poly
    content = gcd(*poly.values())
    if poly[max(poly)] < 0:
        content = -content
    return content, {m: c // content for m, c in poly.items()}


def is_zero(expr: sympy.Expr, field: Field) -> bool:
    """True: proved zero wherever it has a value. False: not zero at the sample. Else raises `Undecided`."""
    q = field.convert(expr)
    left = field.reduced(q.num)
    if not left:
        return True
    if abs(field.value(left)) > SMALL:
        return False
    raise Undecided(f"{expr} is 0 at the sample, but no rule shows that it is 0 everywhere")
