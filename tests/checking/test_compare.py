"""Page against code: what must be expressible, and that every check can fail."""

from __future__ import annotations

import dataclasses
import random
import re
from typing import NamedTuple

import numpy as np
import pytest

from cs231n.checking.compare import Difference, checks, closed_formulas
from cs231n.checking.evaluate import Evaluator
from cs231n.checking.sampling import draw_sample
from cs231n.checking.symbolic import Mismatch
from cs231n.pages.page import parse_page

HERE = __name__


def run(page, *, only=None):
    """The names of the checks that fail, with their messages."""
    failed = {}
    for check in checks(page):
        name = check.name.removeprefix(f"{page.id}.md ")
        if check.needs == "torch" or (only is not None and name not in only):
            continue
        try:
            check.run()
        except (Difference, Mismatch, ValueError) as error:
            failed[name] = str(error)
    return failed


# --------------------------------------------------------------------------- six kinds of code maps


def max_pool_forward(x, pool_param):
    R, S, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    N, C, H, W = x.shape
    out = np.zeros_like(x, shape=(N, C, (H - R) // s + 1, (W - S) // s + 1))
    for p in range(out.shape[2]):
        for q in range(out.shape[3]):
            out[:, :, p, q] = x[:, :, s * p : s * p + R, s * q : s * q + S].max(axis=(2, 3))
    return out, (x, out, pool_param)


def max_pool_backward(dout, cache):
    x, out, pool_param = cache
    R, S, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    dx = np.zeros_like(x)
    for p in range(out.shape[2]):
        for q in range(out.shape[3]):
            window = np.s_[:, :, s * p : s * p + R, s * q : s * q + S]
            dx[window] += dout[:, :, p, q, None, None] * (x[window] == out[:, :, p, q, None, None])
    return dx


def max_pool_backward_overwriting(dout, cache):
    x, out, pool_param = cache
    R, S, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    dx = np.zeros_like(x)
    for p in range(out.shape[2]):
        for q in range(out.shape[3]):
            window = np.s_[:, :, s * p : s * p + R, s * q : s * q + S]
            dx[window] = dout[:, :, p, q, None, None] * (x[window] == out[:, :, p, q, None, None])
    return dx


class StepCache(NamedTuple):
    prev_c: np.ndarray
    i: np.ndarray
    f: np.ndarray
    o: np.ndarray
    next_c: np.ndarray


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def step_forward(a, b, e, prev_c):
    """The element-wise part of a recurrent cell with two outputs."""
    i, f, o = sigmoid(a), sigmoid(b), sigmoid(e)
    next_c = f * prev_c + i
    return o * np.tanh(next_c), next_c, StepCache(prev_c, i, f, o, next_c)


def step_backward(dnext_h, dnext_c, cache):
    prev_c, i, f, o, next_c = cache
    total = dnext_c + dnext_h * o * (1 - np.tanh(next_c) ** 2)
    da, db = total * i * (1 - i), total * prev_c * f * (1 - f)
    return da, db, dnext_h * np.tanh(next_c) * o * (1 - o), total * f


def step_backward_one_path(dnext_h, dnext_c, cache):
    da, db, de, _ = step_backward(dnext_h, dnext_c, cache)
    return da, db, de, dnext_c * cache.f


def adam_step(w, dw, config):
    m = config["beta1"] * config["m"] + (1 - config["beta1"]) * dw
    v = config["beta2"] * config["v"] + (1 - config["beta2"]) * dw**2
    t = config["t"] + 1
    m_hat, v_hat = m / (1 - config["beta1"] ** t), v / (1 - config["beta2"] ** t)
    return w - config["learning_rate"] * m_hat / (np.sqrt(v_hat) + config["epsilon"]), dict(config, m=m, v=v, t=t)


MAX_POOL = rf"""---
sizes: {{N: examples, C: channels, P: rows, Q: columns, R: window height, S: window width, s: stride}}
indices: {{n: N, c: C, p: P, q: Q, r: R, t: S, h: 's(P-1)+R', w: 's(Q-1)+S'}}
tensors: {{x: [N, C, 's(P-1)+R', 's(Q-1)+S'], dout: [N, C, P, Q]}}
output: out
assume: [no ties]
code:
  - call: {HERE}.max_pool_forward
    arguments: {{x: x, pool_param: {{pool_height: R, pool_width: S, stride: s}}}}
    returns: [out, cache]
  - call: {HERE}.BACKWARD
    arguments: {{dout: dout, cache: cache}}
    returns: [dx]
---
$$ \mathrm{{out}}_{{ncpq}} \coloneqq \max_r \max_t x_{{n,c,sp+r,sq+t}} $$
$$
dx_{{nchw}} = \sum_{{p,q,r,t}} \mathrm{{dout}}_{{ncpq}}
    \mathbf 1[x_{{n,c,sp+r,sq+t}} = \mathrm{{out}}_{{ncpq}}] \delta_{{h,sp+r}} \delta_{{w,sq+t}}
$$
"""

STEP = rf"""---
sizes: {{N: examples, H: units}}
indices: {{n: N, k: H}}
tensors: {{a: [N, H], b: [N, H], e: [N, H], prev_c: [N, H], dnext_h: [N, H], dnext_c: [N, H]}}
outputs: {{next_h: dnext_h, next_c: dnext_c}}
code:
  - call: {HERE}.step_forward
    arguments: {{a: a, b: b, e: e, prev_c: prev_c}}
    returns: [next_h, next_c, cache]
  - call: {HERE}.BACKWARD
    arguments: {{dnext_h: dnext_h, dnext_c: dnext_c, cache: cache}}
    returns: [da, db, de, dprev_c]
---
$$ i_{{nk}} \coloneqq \operatorname{{sigmoid}}(a_{{nk}}) $$
$$ f_{{nk}} \coloneqq \operatorname{{sigmoid}}(b_{{nk}}) $$
$$ o_{{nk}} \coloneqq \operatorname{{sigmoid}}(e_{{nk}}) $$
$$ \mathrm{{next\_c}}_{{nk}} \coloneqq f_{{nk}} \mathrm{{prev\_c}}_{{nk}} + i_{{nk}} $$
$$ \mathrm{{next\_h}}_{{nk}} \coloneqq o_{{nk}} \tanh(\mathrm{{next\_c}}_{{nk}}) $$
$$ u_{{nk}} \coloneqq \mathrm{{dnext\_c}}_{{nk}}
    + \mathrm{{dnext\_h}}_{{nk}} o_{{nk}} (1 - (\tanh(\mathrm{{next\_c}}_{{nk}}))^2) $$
$$ da_{{nk}} = u_{{nk}} i_{{nk}} (1 - i_{{nk}}) $$
$$ df_{{nk}} = u_{{nk}} \mathrm{{prev\_c}}_{{nk}} $$
$$ db_{{nk}} = df_{{nk}} f_{{nk}} (1 - f_{{nk}}) $$
$$ de_{{nk}} = \mathrm{{dnext\_h}}_{{nk}} \tanh(\mathrm{{next\_c}}_{{nk}}) o_{{nk}} (1 - o_{{nk}}) $$
$$ d\mathrm{{prev\_c}}_{{nk}} = u_{{nk}} f_{{nk}} $$
"""

ADAM = rf"""---
sizes: {{D: parameters, T: {{means: steps before, least: 0}}}}
indices: {{k: D}}
tensors: {{w: [D], g: [D], m: [D], v: {{shape: [D], sign: positive}}}}
scalars: {{eta: positive, alpha: positive, beta: positive, epsilon: positive}}
assume: ['\alpha < 1', '\beta < 1']
code:
  - call: {HERE}.adam_step
    arguments:
      w: w
      dw: g
      config: {{m: m, v: v, t: T, beta1: alpha, beta2: beta, learning_rate: eta, epsilon: epsilon}}
    returns: [next_w, {{m: next_m, v: next_v}}]
---
$$ \mathrm{{next\_m}}_k \coloneqq \alpha m_k + (1 - \alpha) g_k $$
$$ \mathrm{{next\_v}}_k \coloneqq \beta v_k + (1 - \beta) g_k^2 $$
$$ \mathrm{{next\_w}}_k \coloneqq w_k - \eta
    \frac{{\mathrm{{next\_m}}_k / (1 - \alpha^{{T+1}})}}
    {{\sqrt{{\mathrm{{next\_v}}_k / (1 - \beta^{{T+1}})}} + \epsilon}} $$
"""

BATCHNORM = r"""---
sizes: {N: examples, D: features}
indices: {i k: N, j l: D}
tensors: {x: [N, D], gamma: [D], beta: [D], dout: [N, D]}
scalars: {epsilon: positive}
output: out
code:
  - call: cs231n.layers.batchnorm.batchnorm_forward
    arguments: {x: x, gamma: gamma, beta: beta, bn_param: {mode: {value: train}, eps: epsilon}}
    returns: [out, cache]
  - call: cs231n.layers.batchnorm.batchnorm_backward
    arguments: {dout: dout, cache: cache}
    returns: [dx, dgamma, dbeta]
  - call: cs231n.layers.batchnorm.batchnorm_backward_alt
    arguments: {dout: dout, cache: cache}
    returns: [dx, _, _]
---
$$ \mu_j \coloneqq \frac 1N \sum_i x_{ij} $$
$$ v_j \coloneqq \frac 1N \sum_i (x_{ij} - \mu_j)^2 $$
$$ r_j \coloneqq \frac{1}{\sqrt{v_j + \epsilon}} $$
$$ \hat x_{ij} \coloneqq (x_{ij} - \mu_j) r_j $$
$$ \mathrm{out}_{ij} \coloneqq \gamma_j \hat x_{ij} + \beta_j $$
$$ d\beta_l = \sum_i \mathrm{dout}_{il} $$
$$ d\gamma_l = \sum_i \mathrm{dout}_{il} \hat x_{il} $$
$$ dx_{kl} = \frac{\gamma_l r_l}{N} (N \mathrm{dout}_{kl} - d\beta_l - \hat x_{kl} d\gamma_l) $$
"""

SOFTMAX = r"""---
sizes: {N: examples, C: classes}
indices: {n: N, c k: C}
tensors: {x: [N, C]}
labels: {y: {shape: [N], classes: C}}
output: L
code:
  - {call: cs231n.losses.softmax.softmax_loss, arguments: {x: x, y: y}, returns: [L, dx]}
---
$$ p_{nc} \coloneqq \frac{e^{x_{nc}}}{\sum_k e^{x_{nk}}} $$
$$ L \coloneqq -\frac 1N \sum_n \log p_{n,y_n} $$
$$ dx_{nk} = \frac 1N (p_{nk} - \delta_{k,y_n}) $$
"""

DROPOUT = r"""---
sizes: {N: examples, D: features}
indices: {i: N, j: D}
tensors: {x: [N, D], mask: {shape: [N, D], gradient: false, values: [0, 1]}, dout: [N, D]}
scalars: {p: {sign: positive, gradient: false}}
output: out
assume: ['p < 1']
code:
  - call: cs231n.layers.dropout.dropout_forward
    arguments: {x: x, dropout_param: {mode: {value: train}, p: p, seed: {value: 3}}}
    returns: [out, cache]
    draws: {mask: cache.mask}
  - {call: cs231n.layers.dropout.dropout_backward, arguments: {dout: dout, cache: cache}, returns: [dx]}
---
$$ \mathrm{out}_{ij} \coloneqq \frac{\mathrm{mask}_{ij} x_{ij}}{p} $$
$$ dx_{ij} = \frac{\mathrm{mask}_{ij}}{p} \mathrm{dout}_{ij} $$
"""

SIX = {
    "batchnorm": (BATCHNORM, 12),
    "softmax": (SOFTMAX, 8),
    "dropout": (DROPOUT, 8),
    "max_pool": (MAX_POOL.replace("BACKWARD", "max_pool_backward"), 8),
    "lstm_step": (STEP.replace("BACKWARD", "step_backward"), 15),
    "adam": (ADAM, 6),
}


@pytest.mark.parametrize("name", SIX)
def test_the_map_can_express_six_kinds_of_functions(name):
    text, count = SIX[name]
    page = parse_page(text, id=name)
    assert len([c for c in checks(page) if c.needs != "torch"]) == count
    assert run(page) == {}


@pytest.mark.parametrize(
    ("text", "backward", "failing"),
    [
        (MAX_POOL, "max_pool_backward_overwriting", {"code dx", "numeric dx", "autograd"}),
        (STEP, "step_backward_one_path", {"code dprev_c", "numeric dprev_c", "exact", "autograd"}),
    ],
)
def test_a_wrong_backward_fails_every_check_of_it(text, backward, failing):
    failed = run(parse_page(text.replace("BACKWARD", backward), id="wrong"))
    assert failing <= failed.keys() <= failing | {"exact", "float32", "layout"}


def test_checks_are_named_after_the_page():
    names = [c.name for c in checks(parse_page(SOFTMAX, id="losses/softmax"))]
    kinds = ["code map", "code L", "code dx", "numeric dx", "exact", "autograd", "torch", "float32", "layout"]
    assert names == [f"losses/softmax.md {kind}" for kind in kinds]


# --------------------------------------------------------------------------------- every check can fail


def scale_forward(x, w):
    return x * w, (x, w)


def scale_forward_off(x, w):
    return x * w + 1e-6, (x, w)


def scale_backward(dout, cache):
    x, w = cache
    return dout * w, (dout * x).sum(axis=0)


def scale_backward_wrong_sum(dout, cache):
    x, w = cache
    return dout * w, (dout * x).mean(axis=0)


def scale_backward_wrong_shape(dout, cache):
    x, w = cache
    return dout * w, (dout * x).sum(axis=0, keepdims=True)


def scale_backward_in_place(dout, cache):
    dout *= cache[1]
    return dout, (dout * cache[0]).sum(axis=0)


def scale_backward_in_double(dout, cache):
    dx, dw = scale_backward(dout, cache)
    return dx if dx.dtype == object else dx.astype(float), dw


def scale_backward_in_memory_order(dout, cache):
    x, w = cache
    return (dout.ravel("K") * (x * 0 + w).ravel("K")).reshape(x.shape), (dout * x).sum(axis=0)


def scale_backward_nan(dout, cache):
    dx, dw = scale_backward(dout, cache)
    return dx * np.nan if dx.dtype == float else dx, dw


SCALE = rf"""---
sizes: {{N: examples, D: features}}
indices: {{i n: N, j: D}}
tensors: {{x: [N, D], w: [D], dout: [N, D]}}
output: out
code:
  - {{call: {HERE}.scale_forward, arguments: {{x: x, w: w}}, returns: [out, cache]}}
  - {{call: {HERE}.scale_backward, arguments: {{dout: dout, cache: cache}}, returns: [dx, dw]}}
---
$$ \mathrm{{out}}_{{ij}} \coloneqq x_{{ij}} w_j $$
$$ dx_{{ij}} = \mathrm{{dout}}_{{ij}} w_j $$
$$ dw_j = \sum_i x_{{ij}} \mathrm{{dout}}_{{ij}} $$
"""


def test_what_is_right_passes():
    assert run(parse_page(SCALE, id="scale")) == {}


@pytest.mark.parametrize(
    ("old", "new", "failing"),
    [
        ("scale_forward,", "scale_forward_off,", {"code out": "out of scale_forward_off differs from the page's"}),
        (
            "scale_backward,",
            "scale_backward_wrong_sum,",
            {
                "code dw": r"dw\[\d\] is .*, not .* \(N = \d, D = \d\)",
                "numeric dw": "numeric gradient of the code",
                "exact": "dw#1",
                "autograd": "differs from autograd",
            },
        ),
        (
            "scale_backward,",
            "scale_backward_wrong_shape,",
            {"code dw": "has the shape", "numeric dw": "has the shape", "exact": "has the shape", "autograd": "shape"},
        ),
        (
            "scale_backward,",
            "scale_backward_in_place,",
            dict.fromkeys(["code out", "code dx", "code dw", "numeric dx", "numeric dw", "autograd"], "read-only"),
        ),
        ("scale_backward,", "scale_backward_in_double,", {"float32": "dx of .*: float32 in, float64 out"}),
        ("scale_backward,", "scale_backward_in_memory_order,", {"layout": "depends on the memory layout"}),
        (
            "scale_backward,",
            "scale_backward_nan,",
            {"code dx": "is nan", "numeric dx": "is nan", "autograd": "is nan"},
        ),
        (r"dx_{ij} = \mathrm{dout}_{ij} w_j", r"dx_{ij} = \mathrm{dout}_{ij}", {"code dx": "the page's formula 1"}),
        (r"$$ dx_{ij} = \mathrm{dout}_{ij} w_j $$", "", {"code dx": "claims no formula for it"}),
        ("_{ij} w_j $$\n$$ dw", "_{ij} w_j \\qquad \\text{for } N = 3 $$\n$$ dw", {"code dx": "claims no formula"}),
        (
            r"\coloneqq x_{ij} w_j",
            r"\coloneqq x_{ij} w_j^2",
            {"code out": "", "code dx": "", "code dw": "", "autograd": ""},
        ),
        ("[dx, dw]", "[dx, dwx]", {"code map": "dwx: returned by the code, but neither defined"}),
        (
            "[dx, dw]",
            "[dx]",
            dict.fromkeys(["code out", "code dx", "numeric dx", "exact", "autograd"], "expected 1 results"),
        ),
        ("[out, cache]", "[z, cache]", {"code map": "does not return the output out", "numeric dx": "before any out"}),
        ("scale_forward,", "no_such,", {"code out": "no_such", "exact": "no_such"}),
    ],
)
def test_what_is_wrong_is_found_and_named(old, new, failing):
    assert old in SCALE
    failed = run(parse_page(SCALE.replace(old, new, 1), id="scale"))
    for name, message in failing.items():
        assert re.search(message, failed[name])
    if "expected 1" not in str(failing) and "no_such" not in str(failing) and "[z" not in new:
        assert failed.keys() <= failing.keys() | {"exact", "float32", "layout"}


def test_a_comparison_of_zeros_says_nothing():
    page = SCALE.replace(r"x_{ij} w_j $$", r"0 x_{ij} w_j $$", 1).replace("scale_forward", "zero_forward")
    assert "is 0 at every sample" in run(parse_page(page, id="zero"), only={"code out"})["code out"]


def zero_forward(x, w):
    return x * w * 0, (x, w)


# ------------------------------------------------------------------------------- formulas the page claims


def formulas(claims):
    head = SCALE.replace("[D],", "[D], b: [D],").split("$$ dx_")[0]
    return {name: len(found) for name, found in closed_formulas(parse_page(head + claims, id="scale")).items()}


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (r"$$ dx_{ij} = \mathrm{dout}_{ij} w_j $$", {"x": 1}),
        (r"$$ dx_{ij} = \mathrm{dout}_{ij} w_j = w_j \mathrm{dout}_{ij} $$", {"x": 2}),
        (
            r"$$ dx_{ij} = d\mathrm{out}_{ij} w_j $$ and $$ d\mathrm{out}_{ij} = \mathrm{dout}_{ij} $$",
            {"out": 1, "x": 1},
        ),
        (r"$$ dx_{ij} = d\mathrm{out}_{ij} w_j $$", {}),
        (r"$$ dx_{ij} = \sum_n \mathrm{dout}_{nj} \frac{\partial \mathrm{out}_{nj}}{\partial x_{ij}} $$", {}),
        (r"$$ dx_{ij} \neq \mathrm{dout}_{ij} $$", {}),
    ],
)
def test_closed_formulas_are_free_of_derivatives_once_unfolded(claims, expected):
    assert formulas(claims) == expected


def test_a_formula_for_a_block_is_none_for_the_whole():
    head = r"""---
sizes: {N: examples, H: units}
indices: {n: N, j: H, k: 2 H}
tensors: {x: [N, 2 H], w: [2 H], dout: [N, 2 H]}
output: out
---

$$ \mathrm{out}_{nk} := x_{nk} w_k $$

"""
    for letter, expected in (("k", {"x"}), ("j", set())):
        claim = rf"$$ dx_{{n{letter}}} = \mathrm{{dout}}_{{n{letter}}} w_{letter} $$"
        assert set(closed_formulas(parse_page(head + claim, id="blocks"))) == expected


#: The formula for dh stands on itself, one step later.
THROUGH_TIME = r"""---
sizes: {T: steps}
indices: {s: T}
times: {t: T}
tensors: {x: [T], w: [T], dout: [T]}
output: out
---

$$ h_0 := 0 $$

$$ h_t := w_{t-1} h_{t-1} + x_{t-1} \quad (t \ge 1) $$

$$ \mathrm{out}_s := h_{s+1} $$

$$ dx_s = dh_{s+1} $$

$$ dh_t = \mathbf 1[t \ge 1]\,\mathrm{dout}_{t-1} + \mathbf 1[t < T]\,w_t\,dh_{t+1} $$
"""


def test_a_formula_may_stand_on_itself_at_later_times():
    page = parse_page(THROUGH_TIME, id="time")
    found = closed_formulas(page)
    assert {name: len(all_) for name, all_ in found.items()} == {"h": 1, "x": 1}
    extra = {f"∂{name}": dataclasses.replace(one, name=f"∂{name}") for name, (one,) in found.items()}
    sample = draw_sample(page, random.Random(1))
    told = Evaluator(dataclasses.replace(page, definitions=page.definitions | extra), sample)
    assert told.table("∂x") == pytest.approx(Evaluator(page, sample).gradient("x"))


def test_a_gradient_that_follows_from_a_wrong_one_is_wrong():
    text = SCALE.replace(
        r"$$ dx_{ij} = \mathrm{dout}_{ij} w_j $$",
        r"$$ d\mathrm{out}_{ij} = 2 \mathrm{dout}_{ij} $$" "\n" r"$$ dx_{ij} = d\mathrm{out}_{ij} w_j $$",
    )
    assert "the page's formula 1" in run(parse_page(text, id="scale"))["code dx"]
