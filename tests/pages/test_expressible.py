r"""Six front matters, so that the keys are known to suffice: batch norm, softmax loss, dropout, pooling, LSTM, Adam.

Each page has its definitions, its claims and the map of its code; whether the claims are true is not asked here.
"""

from __future__ import annotations

from cs231n.pages import parse_page
from cs231n.pages import tree as t

BATCHNORM = r"""---
title: Batch normalization
sizes: {N: examples, D: features}
indices: {i k m: N, j l: D}
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
---
$$
\begin{aligned}
\mu_j &\coloneqq \frac{1}{N}\sum_i x_{ij} \\
\mathrm{var}_j &\coloneqq \frac{1}{N}\sum_i (x_{ij} - \mu_j)^2 \\
\mathrm{rstd}_j &\coloneqq \frac{1}{\sqrt{\mathrm{var}_j + \epsilon}} \\
\hat x_{ij} &\coloneqq (x_{ij} - \mu_j)\,\mathrm{rstd}_j \\
\mathrm{out}_{ij} &\coloneqq \gamma_j\,\hat x_{ij} + \beta_j
\end{aligned}
$$

$$ d\hat x_{ij} = \gamma_j\,\mathrm{dout}_{ij} \qquad d\beta_j = \sum_i \mathrm{dout}_{ij} \tag{dbeta} $$

$$ d\gamma_j = \sum_i \mathrm{dout}_{ij}\,\hat x_{ij} \tag{dgamma} $$

$$
\begin{aligned}
dx_{kl} = \frac{\gamma_l\,\mathrm{rstd}_l}{N}\Big( & N\,\mathrm{dout}_{kl} - \sum_i \mathrm{dout}_{il} \\
& - \hat x_{kl}\sum_i \mathrm{dout}_{il}\,\hat x_{il}\Big)
\end{aligned}
\tag{dx}
$$

$$ dx_{kl} \neq \gamma_l\,\mathrm{rstd}_l\,\mathrm{dout}_{kl} \tag{constants} $$
"""

SOFTMAX_LOSS = r"""---
sizes: {N: examples, C: {means: classes, least: 2}}
indices: {n: N, c k m: C}
tensors: {x: [N, C]}
labels: {y: {shape: [N], classes: C}}
output: L
code:
  - call: cs231n.losses.softmax.softmax_loss
    arguments: {x: x, y: y}
    returns: [L, dx]
---
$$ p_{nc} \coloneqq \frac{e^{x_{nc}}}{\sum_k e^{x_{nk}}} $$

$$ L \coloneqq -\frac{1}{N}\sum_n \log p_{n,y_n} $$

$$ dx_{nc} = \frac{1}{N}\big(p_{nc} - \mathbf 1[c = y_n]\big) \tag{dx} $$

$$ \frac{\partial p_{nc}}{\partial x_{nk}} = p_{nc}(\delta_{ck} - p_{nk}) \tag{jacobian} $$

$$ p_{nc} = \frac{\exp(x_{nc} - \max_m x_{nm})}{\sum_k \exp(x_{nk} - \max_m x_{nm})} \tag{stable} $$
"""

DROPOUT = r"""---
sizes: {N: examples, D: features}
indices: {i: N, j: D}
tensors:
  x: [N, D]
  dout: [N, D]
  mask: {shape: [N, D], gradient: false, values: [0, 1]}
scalars: {p: {sign: positive, gradient: false}}
output: out
code:
  - call: cs231n.layers.dropout.dropout_forward
    arguments: {x: x, dropout_param: {mode: {value: train}, p: p, seed: {value: 3}}}
    returns: [out, cache]
    draws: {mask: cache.mask}
  - call: cs231n.layers.dropout.dropout_backward
    arguments: {dout: dout, cache: cache}
    returns: [dx]
---
$$ \mathrm{out}_{ij} \coloneqq \frac{\mathrm{mask}_{ij}}{p}\,x_{ij} $$

$$ dx = \frac{1}{p}\,\mathrm{mask} \odot \mathrm{dout} \tag{dx} $$
"""

MAX_POOL = r"""---
sizes:
  N: images
  C: channels
  H: height
  W: width
  P: output height
  Q: output width
  R: window height
  U: window width
  s: stride
indices: {n: N, c: C, h: H, w: W, p a: P, q b: Q, r: R, u: U}
tensors: {x: [N, C, H, W], dout: [N, C, P, Q]}
output: out
assume: ['H \ge s(P-1)+R', 'W \ge s(Q-1)+U', no ties]
code:
  - call: cs231n.layers.pooling.max_pool_forward
    arguments: {x: x, pool_param: {pool_height: R, pool_width: U, stride: s}}
    returns: [out, cache]
  - call: cs231n.layers.pooling.max_pool_backward
    arguments: {dout: dout, cache: cache}
    returns: [dx]
---
$$ \mathrm{out}_{ncpq} \coloneqq \max_{r,u} x_{n,c,sp+r,sq+u} $$

$$
dx_{nchw} = \sum_{p,q}\sum_{r,u} \delta_{h,sp+r}\,\delta_{w,sq+u}\,
\mathbf 1[x_{nchw} = \mathrm{out}_{ncpq}]\,\mathrm{dout}_{ncpq} \tag{dx}
$$

$$ \mathrm{out}_{ncpq} \ge x_{n,c,sp+r,sq+u} \qquad \text{(not checked: it is an inequality)} \tag{bound} $$
"""

LSTM_STEP = r"""---
sizes: {N: sequences, D: inputs, H: units}
indices: {n: N, d: D, h k: H}
tensors:
  x: [N, D]
  prev_h: [N, H]
  prev_c: [N, H]
  Wx: [D, 4H]
  Wh: [H, 4H]
  b: [4H]
  dnext_h: [N, H]
  dnext_c: [N, H]
outputs: {next_h: dnext_h, next_c: dnext_c}
code:
  - call: cs231n.layers.lstm.lstm_step_forward
    arguments: {x: x, prev_h: prev_h, prev_c: prev_c, Wx: Wx, Wh: Wh, b: b}
    returns: [next_h, next_c, cache]
  - call: cs231n.layers.lstm.lstm_step_backward
    arguments: {dnext_h: dnext_h, dnext_c: dnext_c, cache: cache}
    returns: [dx, dprev_h, dprev_c, dWx, dWh, db]
---
$$
\begin{aligned}
\mathrm{in}_{nh} &\coloneqq \sigma\Big(\sum_d x_{nd}\,\mathrm{Wx}_{dh}
    + \sum_k \mathrm{prev\_h}_{nk}\,\mathrm{Wh}_{kh} + b_{h}\Big) \\
f_{nh} &\coloneqq \sigma\Big(\sum_d x_{nd}\,\mathrm{Wx}_{d,H+h}
    + \sum_k \mathrm{prev\_h}_{nk}\,\mathrm{Wh}_{k,H+h} + b_{H+h}\Big) \\
o_{nh} &\coloneqq \sigma\Big(\sum_d x_{nd}\,\mathrm{Wx}_{d,2H+h}
    + \sum_k \mathrm{prev\_h}_{nk}\,\mathrm{Wh}_{k,2H+h} + b_{2H+h}\Big) \\
g_{nh} &\coloneqq \tanh\Big(\sum_d x_{nd}\,\mathrm{Wx}_{d,3H+h}
    + \sum_k \mathrm{prev\_h}_{nk}\,\mathrm{Wh}_{k,3H+h} + b_{3H+h}\Big) \\
\mathrm{next\_c}_{nh} &\coloneqq f_{nh}\,\mathrm{prev\_c}_{nh} + \mathrm{in}_{nh}\,g_{nh} \\
\mathrm{next\_h}_{nh} &\coloneqq o_{nh}\tanh(\mathrm{next\_c}_{nh})
\end{aligned}
$$

$$
d\mathrm{next\_c}_{nh} = \mathrm{dnext\_c}_{nh} + \mathrm{dnext\_h}_{nh}\,o_{nh}(1 - \tanh^2(\mathrm{next\_c}_{nh}))
\tag{dnext-c}
$$

$$ d\mathrm{prev\_c}_{nh} = f_{nh}\,d\mathrm{next\_c}_{nh} \tag{dprev-c} $$
"""

ADAM = r"""---
sizes: {D: parameters, t: step}
indices: {i: D}
tensors: {w: [D], g: [D], m: [D], v: {shape: [D], sign: nonnegative}}
scalars: {lr: positive, beta_1: positive, beta_2: positive, epsilon: positive}
assume: ['\beta_1 < 1', '\beta_2 < 1']
code:
  - call: cs231n.optim.adaptive.adam
    arguments:
      w: w
      dw: g
      config: {learning_rate: lr, beta1: beta_1, beta2: beta_2, epsilon: epsilon, m: m, v: v, t: {value: 4}}
    returns: [next_w, {m: next_m, v: next_v, t: _}]
---
$$ \mathrm{next\_m}_i \coloneqq \beta_1 m_i + (1 - \beta_1) g_i $$

$$ \mathrm{next\_v}_i \coloneqq \beta_2 v_i + (1 - \beta_2) g_i^2 $$

$$
\mathrm{next\_w}_i \coloneqq w_i
- \mathrm{lr}\,\frac{\mathrm{next\_m}_i/(1-\beta_1^t)}{\sqrt{\mathrm{next\_v}_i/(1-\beta_2^t)} + \epsilon}
$$

$$
\frac{\partial\,\mathrm{next\_m}_i}{\partial g_i} = 1 - \beta_1 \tag{weight-of-the-gradient}
$$
"""


def kinds(page: t.Page) -> dict[str, int]:
    found = [statement.kind for statement in page.statements]
    return {kind: found.count(kind) for kind in dict.fromkeys(found)}


def test_batchnorm() -> None:
    page = parse_page(BATCHNORM)
    assert list(page.definitions) == ["mu", "var", "rstd", "x_hat", "out"]
    assert kinds(page) == {"definition": 5, "claim": 4, "mistake": 1}
    assert page.declarations.code[0]["arguments"]["bn_param"] == {"mode": {"value": "train"}, "eps": "epsilon"}


def test_softmax_loss() -> None:
    page = parse_page(SOFTMAX_LOSS)
    assert page.declarations.outputs == (t.Output("L", None),)
    assert kinds(page) == {"definition": 2, "claim": 3}
    assert page.declarations.code[0]["returns"] == ["L", "dx"]


def test_dropout() -> None:
    page = parse_page(DROPOUT)
    mask = page.declarations.tensors["mask"]
    assert (mask.differentiable, mask.values) == (False, (0, 1))
    assert page.declarations.code[0]["draws"] == {"mask": "cache.mask"}


def test_max_pool() -> None:
    page = parse_page(MAX_POOL)
    assert kinds(page) == {"definition": 1, "claim": 1, "unchecked": 1}
    assert page.declarations.assume[-1] == "no ties"
    value = page.definitions["out"].value
    assert isinstance(value, t.Extremum) and isinstance(value.body, t.Extremum)


def test_lstm_step() -> None:
    page = parse_page(LSTM_STEP)
    assert page.declarations.outputs == (t.Output("next_h", "dnext_h"), t.Output("next_c", "dnext_c"))
    assert kinds(page) == {"definition": 6, "claim": 2}
    left = page.statements[-2].left
    assert left is not None and isinstance(left, t.Grad) and left.name == "next_c"


def test_adam() -> None:
    page = parse_page(ADAM)
    assert page.declarations.outputs == ()
    assert page.declarations.code[0]["returns"] == ["next_w", {"m": "next_m", "v": "next_v", "t": "_"}]
    assert kinds(page) == {"definition": 3, "claim": 1}
