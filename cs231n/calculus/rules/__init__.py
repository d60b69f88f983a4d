"""The rewrite rules: what the engine may turn into what.

Every function in this package that carries ``@rule`` rewrites one form into an equal one, and its docstring states
the identity and where it holds. They are all that a proof rests on, together with the rules of differentiation in
`cs231n.calculus.derivatives` and the test for zero in `cs231n.calculus.zero`. Expressions are
`cs231n.calculus.algebra.Poly` in normal form, and every constructor returns one.

The modules call each other through this package, because products make sums and sums make products.
"""

from cs231n.calculus.rules.expectation import expect, expect_sums, independent, moments, symmetric
from cs231n.calculus.rules.functions import (
    exponential,
    hyperbolic_tangent,
    logarithm,
    odd_or_even,
    sigmoid,
    sigmoid_by_exponentials,
    softplus,
)
from cs231n.calculus.rules.indicators import (
    absolute,
    argmax,
    can_flip,
    delta,
    in_range,
    maximiser,
    maximum,
    maximum_over,
    minimum,
    nonneg,
    off_its_zeros,
    other_side,
    shannon,
    step,
)
from cs231n.calculus.rules.powers import common_content, power, power_of_product, rational_gcd, symbolic_power
from cs231n.calculus.rules.products import (
    argmax_of_one,
    entry,
    idempotent,
    multiply,
    one_name_under_a_delta,
    product,
    product_of,
    pythagoras,
    size,
    solve,
    variable,
    whole_powers,
    zero_outside,
)
from cs231n.calculus.rules.registry import RULES, exact, fresh, rule
from cs231n.calculus.rules.sums import (
    contract,
    merge_sums,
    one_maximiser,
    open_sum,
    separate_sums,
    short_range,
    sum_of_a_constant,
    sum_over,
)

__all__ = [
    "RULES",
    "absolute",
    "argmax",
    "argmax_of_one",
    "can_flip",
    "common_content",
    "contract",
    "delta",
    "entry",
    "exact",
    "expect",
    "expect_sums",
    "exponential",
    "fresh",
    "hyperbolic_tangent",
    "idempotent",
    "in_range",
    "independent",
    "logarithm",
    "maximiser",
    "maximum",
    "maximum_over",
    "merge_sums",
    "minimum",
    "moments",
    "multiply",
    "nonneg",
    "odd_or_even",
    "off_its_zeros",
    "one_maximiser",
    "one_name_under_a_delta",
    "open_sum",
    "other_side",
    "power",
    "power_of_product",
    "product",
    "product_of",
    "pythagoras",
    "rational_gcd",
    "rule",
    "separate_sums",
    "shannon",
    "short_range",
    "sigmoid",
    "sigmoid_by_exponentials",
    "size",
    "softplus",
    "solve",
    "step",
    "sum_of_a_constant",
    "sum_over",
    "symbolic_power",
    "symmetric",
    "variable",
    "whole_powers",
    "zero_outside",
]
