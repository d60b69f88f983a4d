"""Chapters to come, in small: what the engine must prove for every size, each statement in well under a second.

Each page is proved, and every mutant of its claims is refuted or proved equivalent.
"""

from __future__ import annotations

import pytest

from cs231n.checking.verify import check_page
from cs231n.pages import parse_page

CHAPTERS = {
    "attention": r"""
sizes: {N: queries, M: keys, E: head dimension, D: value dimension}
indices: {i a: N, j b c: M, e f: E, d g: D}
tensors: {Q: [N, E], K: [M, E], V: [M, D], dout: [N, D]}
output: out
---
$$ S_{ij} := \frac{1}{\sqrt{E}} \sum_e Q_{ie} K_{je} $$

$$ P_{ij} := \frac{\exp(S_{ij})}{\sum_c \exp(S_{ic})} $$

$$ \mathrm{out}_{id} := \sum_j P_{ij} V_{jd} $$

$$ \sum_j P_{ij} = 1 $$

$$ dV_{bg} = \sum_i P_{ib}\,\mathrm{dout}_{ig} $$

$$ dP_{ij} = \sum_d \mathrm{dout}_{id} V_{jd} $$

$$ dS_{ij} = P_{ij}\Big(dP_{ij} - \sum_c P_{ic}\,dP_{ic}\Big) $$

$$ \sum_c P_{ic}\,dP_{ic} = \sum_d \mathrm{dout}_{id}\,\mathrm{out}_{id} $$

$$ dQ_{af} = \frac{1}{\sqrt E} \sum_j dS_{aj} K_{jf} $$

$$ dK_{bf} = \frac{1}{\sqrt E} \sum_i dS_{ib} Q_{if} $$

$$
dK_{bf}
= \frac{1}{\sqrt E} \sum_i P_{ib}\Big(\sum_d \mathrm{dout}_{id} V_{bd}
- \sum_d \mathrm{dout}_{id}\,\mathrm{out}_{id}\Big) Q_{if}
$$

$$ dK_{bf} \neq \frac{1}{\sqrt E} \sum_i P_{ib}\,dP_{ib} Q_{if} $$

$$ dQ_{af} \neq \sum_j dS_{aj} K_{jf} $$
""",
    "convolution": r"""
sizes:
  {N: images, C: channels, F: filters, H: height, W: width, R: rows, Q: columns, P: output rows, U: output columns,
   s: stride}
indices: {n m: N, c b: C, f g: F, h: H, w: W, r k: R, q l: Q, p: P, u: U}
tensors: {X: [N, C, H, W], A: [F, C, R, Q], dout: [N, F, P, U]}
assume: ["H \\ge s(P-1)+R", "W \\ge s(U-1)+Q"]
output: out
---
$$ \mathrm{out}_{nfpu} := \sum_{c,r,q} X_{n,c,sp+r,su+q} A_{fcrq} $$

$$ dA_{gbkl} = \sum_{n,p,u} \mathrm{dout}_{ngpu} X_{n,b,sp+k,su+l} $$

$$
dX_{mbhw}
= \sum_{f,p,u} \mathrm{dout}_{mfpu}\,\mathbf 1[0 \le h-sp < R]\,\mathbf 1[0 \le w-su < Q]\,A_{f,b,h-sp,w-su}
$$

$$ dX_{mbhw} = \sum_{f,p,u,r,q} \mathrm{dout}_{mfpu} A_{fbrq}\,\delta_{h,sp+r}\,\delta_{w,su+q} $$

$$ dX_{mbhw} \neq \sum_{f,p,u,r,q} \mathrm{dout}_{mfpu} A_{fbrq}\,\delta_{h,p+r}\,\delta_{w,u+q} $$
""",
    "convolution with the kernel turned round": r"""
sizes: {H: length, R: window, P: output, s: stride, Z: {means: padding, least: 0}}
indices: {h: H, r k: R, p: P}
tensors: {x: [H], w: [R], dout: [P]}
assume: ["H + 2Z = P - 1 + R"]
output: out
---
$$ \mathrm{out}_p := \sum_r \mathbf 1[0 \le p+r-Z < H]\,x_{p+r-Z}\,w_r $$

$$ dw_k = \sum_p \mathrm{dout}_p\,\mathbf 1[0 \le p+k-Z < H]\,x_{p+k-Z} $$

$$ dx_h = \sum_p \mathrm{dout}_p\,\mathbf 1[0 \le h-p+Z < R]\,w_{h-p+Z} $$

$$ dx_h = \sum_r \mathbf 1[0 \le h+Z-R+1+r < P]\,\mathrm{dout}_{h+Z-R+1+r}\,w_{R-1-r} $$

$$ dx_h \neq \sum_r \mathbf 1[0 \le h+Z-R+1+r < P]\,\mathrm{dout}_{h+Z-R+1+r}\,w_r $$
""",
    "strided convolution by dilation": r"""
sizes: {H: length, R: window, P: output, s: stride, U: dilated}
indices: {h: H, r k: R, p q: P, a: U}
tensors: {x: [H], w: [R], dout: [P]}
assume: ["H = s(P-1)+R", "U = s(P-1)+1"]
output: out
---
$$ \mathrm{out}_p := \sum_r x_{sp+r} w_r $$

$$ T_a := \sum_p \delta_{a,sp}\,\mathrm{dout}_p $$

$$ dx_h = \sum_{p,r} \mathrm{dout}_p w_r\,\delta_{h,sp+r} $$

$$ dx_h = \sum_r \mathbf 1[0 \le h-R+1+r < U]\,T_{h-R+1+r}\,w_{R-1-r} $$
""",
    "group normalization": r"""
sizes: {N: images, G: groups, C: channels in a group, H: height, W: width}
indices: {n m: N, g k: G, c a b: C, h p q: H, w u v: W}
tensors: {x: [N, G, C, H, W], gamma: [G, C], beta: [G, C], dout: [N, G, C, H, W]}
scalars: {epsilon: positive}
output: out
---
$$ \mu_{ng} := \frac{1}{CHW} \sum_{c,h,w} x_{ngchw} $$

$$ \mathrm{rstd}_{ng} := \frac{1}{\sqrt{\frac{1}{CHW} \sum_{c,h,w} (x_{ngchw} - \mu_{ng})^2 + \epsilon}} $$

$$ \hat x_{ngchw} := (x_{ngchw} - \mu_{ng})\,\mathrm{rstd}_{ng} $$

$$ \mathrm{out}_{ngchw} := \gamma_{gc} \hat x_{ngchw} + \beta_{gc} $$

$$ d\hat x_{mkapu} = \gamma_{ka}\,\mathrm{dout}_{mkapu} $$

$$
dx_{mkapu} = \mathrm{rstd}_{mk}\Big(d\hat x_{mkapu} - \frac{1}{CHW}\sum_{c,h,w} d\hat x_{mkchw}
- \frac{\hat x_{mkapu}}{CHW}\sum_{c,h,w} d\hat x_{mkchw} \hat x_{mkchw}\Big)
$$

$$
dx_{mkapu} \neq \mathrm{rstd}_{mk}\Big(d\hat x_{mkapu} - \frac{1}{C}\sum_{c,h,w} d\hat x_{mkchw}
- \frac{\hat x_{mkapu}}{CHW}\sum_{c,h,w} d\hat x_{mkchw} \hat x_{mkchw}\Big)
$$
""",
    "LSTM gate": r"""
sizes: {H: hidden}
indices: {h k: H}
tensors: {ai: [H], af: [H], ao: [H], ag: [H], c: [H], dm: [H], dp: [H]}
outputs: {m: dm, p: dp}
---
$$ p_h := \operatorname{sigmoid}(\mathrm{af}_h) c_h + \operatorname{sigmoid}(\mathrm{ai}_h) \tanh(\mathrm{ag}_h) $$

$$ m_h := \operatorname{sigmoid}(\mathrm{ao}_h) \tanh(p_h) $$

$$ T_k := \mathrm{dp}_k + \mathrm{dm}_k \operatorname{sigmoid}(\mathrm{ao}_k)(1 - (\tanh(p_k))^2) $$

$$
d\mathrm{ai}_k
= T_k \tanh(\mathrm{ag}_k) \operatorname{sigmoid}(\mathrm{ai}_k)(1 - \operatorname{sigmoid}(\mathrm{ai}_k))
$$

$$ dc_k = T_k \operatorname{sigmoid}(\mathrm{af}_k) $$

$$
dc_k
\neq \mathrm{dm}_k \operatorname{sigmoid}(\mathrm{ao}_k)(1 - (\tanh(p_k))^2) \operatorname{sigmoid}(\mathrm{af}_k)
$$
""",
    "NT-Xent": r"""
sizes: {A: views, E: features}
indices: {i j k l m: A, d e: E}
tensors: {u: [A, E], y: {shape: [A, A], gradient: false}, b: {shape: [A, A], sign: positive, gradient: false}}
scalars: {tau: {sign: positive, gradient: false}}
output: L
---
$$ S_{ij} := \frac{1}{\tau} \sum_d u_{id} u_{jd} $$

$$ P_{ik} := \frac{b_{ik} \exp(S_{ik})}{\sum_m b_{im} \exp(S_{im})} $$

$$ L := \frac{1}{A} \sum_{i,j} y_{ij} \Big(\log\Big(\sum_k b_{ik} \exp(S_{ik})\Big) - S_{ij}\Big) $$

$$ G_{ik} := \frac{1}{A \tau} \Big(P_{ik} \sum_j y_{ij} - y_{ik}\Big) $$

$$ du_{le} = \sum_k G_{lk} u_{ke} + \sum_k G_{kl} u_{ke} $$

$$ du_{le} \neq 2 \sum_k G_{lk} u_{ke} $$
""",
    "row normalization": r"""
sizes: {N: rows, D: features}
indices: {n m: N, d e f: D}
tensors: {z: [N, D], dout: [N, D]}
assume: ["s_n > 0"]
output: out
---
$$ s_n := \sqrt{\sum_d z_{nd}^2} $$

$$ \mathrm{out}_{nd} := \frac{z_{nd}}{s_n} $$

$$
dz_{nf}
= \frac{1}{s_n}\Big(\mathrm{dout}_{nf} - \mathrm{out}_{nf} \sum_e \mathrm{dout}_{ne}\,\mathrm{out}_{ne}\Big)
$$
""",
    "hinge loss": r"""
sizes: {N: examples, D: features, C: classes}
indices: {n: N, d e: D, c k: C}
tensors: {x: [N, D], W: [D, C]}
labels: {y: {shape: [N], classes: C}}
output: L
---
$$ s_{nc} := \sum_d x_{nd} W_{dc} $$

$$ m_{nc} := \max(0, s_{nc} - s_{n,y_n} + 1) $$

$$ L := \frac1N \sum_n \Big(\sum_c m_{nc} - 1\Big) $$

$$ L = \frac1N \sum_{n,c} (1 - \delta_{c,y_n}) m_{nc} $$

$$ a_{nc} := \mathbf 1[s_{nc} - s_{n,y_n} + 1 > 0] $$

$$ dW_{ek} = \frac1N \sum_n x_{ne} \Big(a_{nk} - \delta_{k,y_n} \sum_c a_{nc}\Big) $$

$$ dW_{ek} \neq \frac1N \sum_n x_{ne} \Big(a_{nk} - \delta_{k,y_n}\Big) $$
""",
    "max pooling": r"""
sizes: {H: length, P: windows, R: window, s: stride}
indices: {h: H, p: P, r k: R}
tensors: {x: [H], dout: [P]}
assume: ["H \\ge s(P-1)+R", no ties]
output: out
---
$$ \mathrm{out}_p := \max_r x_{sp+r} $$

$$ \sum_r \mathbf 1[x_{sp+r} = \mathrm{out}_p] = 1 $$

$$ \sum_r \mathbf 1[x_{sp+r} = \mathrm{out}_p]\,x_{sp+r} = \mathrm{out}_p $$

$$
\sum_k \mathbf 1[x_{sp+r}
= \mathrm{out}_p]\,\mathbf 1[x_{sp+k} = \mathrm{out}_p] = \mathbf 1[x_{sp+r} = \mathrm{out}_p]
$$

$$ dx_h = \sum_{p,r} \mathrm{dout}_p\,\mathbf 1[x_{sp+r} = \mathrm{out}_p]\,\delta_{h,sp+r} $$

$$ dx_h \neq \sum_{p,r} \mathrm{dout}_p\,\delta_{h,sp+r} $$

$$ dx_h \neq \sum_{p,r} \mathrm{dout}_p\,\mathbf 1[x_{sp+r} = \mathrm{out}_p]\,\delta_{h,p+r} $$
""",
    "assumed sums under other sums": r"""
sizes: {N: rows, C: classes}
indices: {n m: N, c k: C}
tensors: {t: [N, C], u: [N], w: [N, C]}
assume: ["\\sum_c t_{nc} = 1"]
---
$$ \sum_{n,c} u_n t_{nc} = \sum_n u_n $$

$$ \sum_{n,c,k} t_{nc} w_{nk} = \sum_{n,k} w_{nk} $$

$$ \sum_{n,c} t_{nc} w_{nc} \neq \sum_{n,c} w_{nc} $$
""",
    "max pooling of rectangles": r"""
sizes: {H: height, W: width, R: rows, Q: columns, P: output rows, U: output columns, s: stride}
indices: {h: H, l: W, r: R, q: Q, p: P, u: U}
tensors: {x: [H, W], dout: [P, U]}
assume: ["H \\ge s(P-1)+R", "W \\ge s(U-1)+Q", no ties]
output: out
---
$$ m_{hu} := \max_q x_{h,su+q} $$

$$ \mathrm{out}_{pu} := \max_r m_{sp+r,u} $$

$$ \sum_r \mathbf 1[m_{sp+r,u} = \mathrm{out}_{pu}] = 1 $$

$$ dm_{hu} = \sum_{p,r} \mathrm{dout}_{pu}\,\mathbf 1[m_{sp+r,u} = \mathrm{out}_{pu}]\,\delta_{h,sp+r} $$

$$ dx_{hl} = \sum_{u,q} dm_{hu}\,\mathbf 1[x_{h,su+q} = m_{hu}]\,\delta_{l,su+q} $$

$$
dx_{hl} \neq \sum_{p,u,r,q} \mathrm{dout}_{pu}\,\mathbf 1[x_{sp+r,su+q} = m_{sp+r,u}]\,\delta_{h,sp+r}\,\delta_{l,su+q}
$$
""",
    "GAN": r"""
sizes: {K: outcomes}
indices: {k x: K}
tensors: {p: {shape: [K], sign: positive}, q: {shape: [K], sign: positive}}
assume: ["\\sum_x p_x = 1", "\\sum_x q_x = 1"]
---
$$ D_x := \frac{p_x}{p_x + q_x} $$

$$ V := \sum_x \Big(p_x \log(D_x) + q_x \log(1 - D_x)\Big) $$

$$ M_x := \frac{p_x + q_x}{2} $$

$$
V = \sum_x \Big(p_x \log\Big(\frac{p_x}{M_x}\Big) + q_x \log\Big(\frac{q_x}{M_x}\Big)\Big) - 2\log(2)
$$
""",
    "GELU": r"""
sizes: {N: numbers}
indices: {i: N}
tensors: {x: [N], dout: [N]}
output: out
---
$$ \mathrm{out}_i := \frac{x_i}{2}\Big(1 + \operatorname{erf}\Big(\frac{x_i}{\sqrt 2}\Big)\Big) $$

$$
dx_i = \mathrm{dout}_i \Big( \frac{1}{2}\Big(1 + \operatorname{erf}\Big(\frac{x_i}{\sqrt 2}\Big)\Big)
+ \frac{x_i}{\sqrt{2\pi}}\,e^{-x_i^2/2}\Big)
$$
""",
    "binary cross-entropy": r"""
sizes: {N: examples}
indices: {n k: N}
tensors: {x: [N], t: {shape: [N], gradient: false}}
output: L
---
$$ L := \sum_n \Big(\max(0, x_n) - x_n t_n + \log(1 + \exp(-|x_n|))\Big) $$

$$ L = -\sum_n \Big(t_n \log(\operatorname{sigmoid}(x_n)) + (1 - t_n) \log(1 - \operatorname{sigmoid}(x_n))\Big) $$

$$ dx_k = \operatorname{sigmoid}(x_k) - t_k $$
""",
}


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_is_proved_for_every_size(name: str) -> None:
    page = parse_page(f"---\ntitle: {name}\ndescription: {name}\n" + CHAPTERS[name].lstrip("\n"), f"{name}.md")
    result = check_page(page)
    assert result.error is None
    bad = [f"{s.line} {s.latex}: {s.verdict} {s.message}" for s in result.statements if not s.ok]
    assert not bad, "\n".join(bad)
