import ast
import inspect
from fractions import Fraction

import numpy as np
import pytest
import sympy

from cs231n.checking.symbolic import ExactArray, Mismatch, Undecided, World, check_backward_exactly, rationals
from cs231n.layers import affine, batchnorm, dropout, relu
from cs231n.losses import softmax

N, D, M = 3, 2, 4


def run_batchnorm(module, backward, mode):
    def run(x, gamma, beta, dout, epsilon, running_mean, running_var):
        bn_param = {"mode": mode, "eps": epsilon, "running_mean": running_mean, "running_var": running_var}
        out, cache = module.batchnorm_forward(x, gamma, beta, bn_param)
        dx, dgamma, dbeta = getattr(module, backward)(dout, cache)
        return {"out": out, "dx": dx, "dgamma": dgamma, "dbeta": dbeta}

    inputs = {
        "x": rationals((N, D), 0),
        "gamma": rationals((D,), 1),
        "beta": rationals((D,), 2),
        "dout": rationals((N, D), 3),
        "epsilon": Fraction(1, 3),
        "running_mean": rationals((D,), 4),
        "running_var": rationals((D,), 5, positive=True),
    }
    gradients = {"dx": "x", "dgamma": "gamma", "dbeta": "beta"}
    return check_backward_exactly(
        run, inputs, outputs={"out": "dout"}, gradients=gradients, positive=["epsilon", "running_var"]
    )


def run_affine(module):
    def run(x, w, b, dout):
        out, cache = module.affine_forward(x, w, b)
        dx, dw, db = module.affine_backward(dout, cache)
        return {"out": out, "dx": dx, "dw": dw, "db": db}

    inputs = {"x": rationals((N, D), 0), "w": rationals((D, M), 1), "b": rationals((M,), 2)}
    inputs["dout"] = rationals((N, M), 3)
    return check_backward_exactly(run, inputs, outputs={"out": "dout"}, gradients={"dx": "x", "dw": "w", "db": "b"})


def run_relu(module):
    def run(x, dout):
        out, cache = module.relu_forward(x)
        return {"out": out, "dx": module.relu_backward(dout, cache)}

    inputs = {"x": rationals((N, D), 0), "dout": rationals((N, D), 3)}
    return check_backward_exactly(run, inputs, outputs={"out": "dout"}, gradients={"dx": "x"})


def run_dropout(module):
    def run(x, dout, p):
        out, cache = module.dropout_forward(x, {"mode": "train", "p": p, "seed": 1})
        assert cache.mask.any()
        assert not cache.mask.all()
        return {"out": out, "dx": module.dropout_backward(dout, cache)}

    inputs = {"x": rationals((N, D), 0), "dout": rationals((N, D), 3), "p": Fraction(2, 3)}
    return check_backward_exactly(run, inputs, outputs={"out": "dout"}, gradients={"dx": "x"}, positive=["p"])


def run_softmax(module, name):
    def run(x, answer):
        loss, dx = getattr(module, name)(x, answer)
        return {"L": loss, "dx": dx}

    inputs, constants = {"x": rationals((N, M), 0)}, {}
    if name == "softmax_loss":
        constants["answer"] = np.array([2, 0, 3])
    else:
        inputs["answer"] = rationals((N, M), 1)  # not even summing to 1
    return check_backward_exactly(run, inputs, outputs={"L": None}, gradients={"dx": "x"}, constants=constants)


RUNS = {
    "affine": (affine, ["affine_backward"], run_affine),
    "relu": (relu, ["relu_backward"], run_relu),
    "dropout": (dropout, ["dropout_backward"], run_dropout),
    "batchnorm staged": (
        batchnorm,
        ["batchnorm_backward"],
        lambda m: [run_batchnorm(m, "batchnorm_backward", mode) for mode in ("train", "test")],
    ),
    "batchnorm closed": (
        batchnorm,
        ["batchnorm_backward_alt"],
        lambda m: [run_batchnorm(m, "batchnorm_backward_alt", mode) for mode in ("train", "test")],
    ),
    "softmax labels": (softmax, ["softmax_loss"], lambda m: run_softmax(m, "softmax_loss")),
    "softmax targets": (softmax, ["softmax_cross_entropy"], lambda m: run_softmax(m, "softmax_cross_entropy")),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_backward_is_exactly_the_derivative_of_the_forward(name):
    module, _, run = RUNS[name]
    run(module)


SWAPPED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Add,
}


def operators(module, functions):
    """Every arithmetic operator of these functions, as (line, number of the operator)."""
    tree = ast.parse(inspect.getsource(module))
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name in functions:
            for node in ast.walk(function):
                if isinstance(node, ast.AugAssign) or (isinstance(node, ast.BinOp) and type(node.op) in SWAPPED):
                    yield tree, node


def mutated(tree, node):
    original, node.op = node.op, SWAPPED[type(node.op)]()
    try:
        code = compile(ast.fix_missing_locations(tree), "mutant", "exec")
    finally:
        node.op = original
    namespace = {"__name__": "mutant"}
    exec(code, namespace)
    return type("Mutant", (), {k: staticmethod(v) for k, v in namespace.items() if inspect.isfunction(v)})


@pytest.mark.parametrize("name", [n for n in RUNS if n != "relu"])  # relu's backward has no operator to change
def test_any_changed_operator_is_found(name):
    module, functions, run = RUNS[name]
    source = inspect.getsource(module).splitlines()
    survivors, tried = [], 0
    for tree, node in operators(module, functions):
        line = source[node.lineno - 1]
        if "x.max(" in line or '"' in line:  # any shift of the scores is as good; a message is no formula
            continue
        tried += 1
        try:
            run(mutated(tree, node))
        except (Mismatch, Undecided, ZeroDivisionError, ValueError, TypeError):
            continue
        survivors.append(f"{node.lineno}: {line}")
    assert tried > 0
    assert survivors == []


def test_a_gradient_of_another_shape_is_found():
    def run(x, dout):
        return {"out": x * 2, "dx": (dout * 2).sum(axis=0)}

    with pytest.raises(Mismatch, match=r"dx has the shape \(2,\), x has the shape \(3, 2\)"):
        check_backward_exactly(
            run,
            {"x": rationals((3, 2), 0), "dout": rationals((3, 2), 1)},
            outputs={"out": "dout"},
            gradients={"dx": "x"},
        )


def test_the_message_names_entry_and_both_values():
    def run(x, dout):
        dx = dout * x * 2
        dx[1] = dout[1] * x[1] * 3
        return {"out": x**2, "dx": dx}

    inputs = {"x": np.array([Fraction(1), Fraction(2)], object), "dout": np.array([Fraction(1), Fraction(5)], object)}
    with pytest.raises(Mismatch, match=r"dx\[1\] of the code is 30 at the sample, .* is 20"):
        check_backward_exactly(run, inputs, outputs={"out": "dout"}, gradients={"dx": "x"})


# --------------------------------------------------------------------------------------------- arrays


@pytest.fixture
def world():
    return World()


def values(array):
    return np.vectorize(lambda e: float(getattr(e, "value", e)), otypes=[float])(np.asarray(array))


UNARY = [
    lambda x: np.exp(x),
    lambda x: np.log(x**2 + 1),
    lambda x: np.sqrt(abs(x)),
    lambda x: np.tanh(x) + np.sin(x) * np.cos(x),
    lambda x: np.log1p(np.exp(x)) - np.expm1(x),
    lambda x: np.maximum(x, 0) - np.minimum(x, 1),
    lambda x: np.where(x > 0, x, x / 100),
    lambda x: np.clip(x, -1, 1),
    lambda x: np.sign(x) + np.abs(x),
    lambda x: x.mean(axis=0) + x.var(axis=0) + x.std(axis=0),
    lambda x: np.mean(x) + np.var(x, axis=1, keepdims=True),
    lambda x: x.max(axis=1) - np.min(x, axis=1),
    lambda x: x.argmax(axis=1) + np.argmin(x, axis=1),
    lambda x: np.sort(x, axis=1),
    lambda x: x[np.arange(3), [1, 0, 1]],
    lambda x: x.T @ x,
    lambda x: x.dot(x.T),
    lambda x: np.einsum("ij,kj->ik", x, x),
    lambda x: np.tensordot(x, x, axes=([0], [0])),
    lambda x: np.vecdot(x, x),
    lambda x: np.cumsum(x, axis=0),
    lambda x: np.prod(x, axis=1),
    lambda x: np.square(x) + np.reciprocal(x) + np.power(x, 3) + np.negative(x),
    lambda x: np.concatenate([x, np.zeros_like(x, shape=(1, 2))]),
    lambda x: np.stack([x, x * 2], axis=1).reshape(6, 2),
    lambda x: np.pad(x, ((1, 1), (0, 1))),
    lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 2)).max(axis=(2, 3)),
    lambda x: np.logaddexp(x, x / 2),
    lambda x: np.isfinite(x) & ~np.isnan(x),
    lambda x: (x > 0).astype(x.dtype) * x,
    lambda x: x.transpose(1, 0).copy().ravel(),
    lambda x: np.broadcast_to(x[:, :1], (3, 2)) + x,
    lambda x: x.sum() + x.sum(axis=0, keepdims=True) * (x[0, 0] + 1),
]


@pytest.mark.parametrize("number", range(len(UNARY)))
def test_numpy_functions_give_the_values_they_give_on_floats(world, number):
    sample = rationals((3, 2), 8)
    function = UNARY[number]
    np.testing.assert_allclose(values(function(world.array("x", sample))), function(sample.astype(float)), rtol=1e-12)


def test_in_place_work_on_buffers_of_zeros(world):
    x = world.array("x", rationals((3, 2), 8))
    dx = np.zeros_like(x, shape=(4, 2))
    np.add.at(dx, [0, 0, 3], x)
    dx[1:3] += x[:2] / 3
    dx /= 2
    assert isinstance(dx, ExactArray)
    assert dx[0, 1].expr == (x[0, 1].expr + x[1, 1].expr) / 2
    assert dx[1, 0].expr == x[0, 0].expr / 6


def test_zeros_and_ones_divide_to_exact_fractions(world):
    x = world.array("x", rationals((3, 2), 8))
    third = (np.ones_like(x) / 3 * x)[0, 0]
    assert third.expr == x[0, 0].expr / 3


def test_comparisons_follow_the_sample_and_are_recorded(world):
    x = world.array("x", np.array([Fraction(1, 2), Fraction(-3, 2)], object))
    assert ((x > 0) == [True, False]).all()
    assert list(world.hypotheses) == ["x_0 > 0", "x_1 < 0"]


def test_what_is_equal_everywhere_needs_no_hypothesis(world):
    x = world.array("x", rationals((2,), 1))
    assert (x + 1) ** 2 >= x**2 + 2 * x + 1 if x.shape == () else ((x + 1) ** 2 >= x**2 + 2 * x + 1).all()
    assert not world.hypotheses


def test_a_sample_on_a_kink_is_refused(world):
    x = world.array("x", np.array([Fraction(0), Fraction(1)], object))
    with pytest.raises(Undecided, match="kink x_0 = 0"):
        np.maximum(x, 0)


def test_floats_are_read_as_decimals_and_a_rounded_third_is_no_third(world):
    x = world.symbol("x", Fraction(1, 2))
    assert (0.1 * x).expr == sympy.Rational(1, 10) * x.expr
    assert (x * np.float64(0.5)).expr == x.expr / 2
    assert ((1 / 3) * x).expr != x.expr / 3
    with pytest.raises(ValueError, match="finite"):
        x + float("inf")


def test_leaving_exact_arithmetic_is_refused(world):
    x = world.array("x", rationals((2,), 1))
    with pytest.raises(TypeError, match="leaves exact arithmetic"):
        x.astype(np.float64)


def test_roots_and_logarithms_of_negative_numbers_are_refused(world):
    x = world.array("x", np.array([Fraction(-1, 2)], object))
    with pytest.raises(Undecided, match="negative"):
        np.sqrt(x)
    with pytest.raises(Undecided, match="not positive"):
        np.log(x)
    with pytest.raises(Undecided, match="not positive"):
        x**0.5
    with pytest.raises(ZeroDivisionError):
        1 / (x - x)


# ------------------------------------------------------------------- code of other kinds than the layers so far


def attention(q, k, v, dout):
    e = np.exp(q @ k.T - (q @ k.T).max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    dp = dout @ v.T
    ds = p * (dp - (dp * p).sum(axis=1, keepdims=True))
    return {"out": p @ v, "dq": ds @ k, "dk": ds.T @ q, "dv": p.T @ dout}


def convolution(x, w, b, dout):
    """Padding 1, stride 2, a kernel of 3 × 2: a remainder, overlapping rows."""
    padded, R, S = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), w.shape[2], w.shape[3]
    out, dpadded, dw = np.zeros_like(dout), np.zeros_like(padded), np.zeros_like(w)
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            window = np.s_[:, :, 2 * i : 2 * i + R, 2 * j : 2 * j + S]
            out[:, :, i, j] = np.tensordot(padded[window], w, axes=([1, 2, 3], [1, 2, 3])) + b
            dpadded[window] += np.einsum("nf,fcrs->ncrs", dout[:, :, i, j], w)
            dw += np.einsum("nf,ncrs->fcrs", dout[:, :, i, j], padded[window])
    return {"out": out, "dx": dpadded[:, :, 1:-1, 1:-1], "dw": dw, "db": dout.sum(axis=(0, 2, 3))}


def recurrent(x, h, w, b, dout):
    """Two steps of a gated cell."""
    hidden, out = [h], np.zeros_like(dout)
    for t in range(2):
        hidden.append(np.tanh(x[:, t] + hidden[-1] * w + b))
        out[:, t] = hidden[-1]
    dx, dw, db, dh = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b), np.zeros_like(h)
    for t in (1, 0):
        da = (dout[:, t] + dh) * (1 - hidden[t + 1] ** 2)
        dx[:, t], dh = da, da * w
        dw += (da * hidden[t]).sum(axis=0)
        db += da.sum(axis=0)
    return {"out": out, "dx": dx, "dw": dw, "db": db, "dh": dh}


OTHERS = {
    attention: {"q": (3, 2), "k": (2, 2), "v": (2, 4), "dout": (3, 4)},
    convolution: {"x": (1, 2, 5, 4), "w": (3, 2, 3, 2), "b": (3,), "dout": (1, 3, 3, 3)},
    recurrent: {"x": (3, 2, 1), "h": (3, 1), "w": (1,), "b": (1,), "dout": (3, 2, 1)},
}


@pytest.mark.parametrize("function", OTHERS)
def test_loops_windows_and_recurrences_are_checked_too(function):
    inputs = {name: rationals(shape, seed) for seed, (name, shape) in enumerate(OTHERS[function].items())}
    gradients = {f"d{name}": name for name in inputs if name != "dout"}
    check_backward_exactly(function, inputs, outputs={"out": "dout"}, gradients=gradients)


@pytest.mark.parametrize("function", OTHERS)
def test_and_a_mistake_in_them_is_found(function):
    def wrong(**arguments):
        returned = function(**arguments)
        last = list(returned)[-1]
        return returned | {last: returned[last] * 2 - returned[last] * returned[last]}

    inputs = {name: rationals(shape, seed) for seed, (name, shape) in enumerate(OTHERS[function].items())}
    gradients = {f"d{name}": name for name in inputs if name != "dout"}
    with pytest.raises(Mismatch):
        check_backward_exactly(wrong, inputs, outputs={"out": "dout"}, gradients=gradients)
