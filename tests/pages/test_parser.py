r"""What each construct of the dialect means. Errors are in test_errors.py, matrix notation in test_matrix.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from cs231n.pages import parse_page, read_page
from cs231n.pages import tree as t

Read = Callable[[str], t.Page]
New = Callable[[str], list[t.Statement]]
Understood = Callable[[str], list[str]]

RIGHT_SIDES = [
    # numbers, sizes, names
    (r"0.5 N", "(1/2*N)"),
    (r"\epsilon", "epsilon"),
    (r"\beta_1^T", "(beta_1^T)"),
    (r"\mathrm{out}_{k,c}", "out[k,c]"),
    (r"x_{k j}", "x[k,j]"),
    (r"x^2_{kj}", "(x[k,j]^2)"),
    (r"{x_{kj}}^2", "(x[k,j]^2)"),
    (r"x_{0,1-1}", "x[0,(1 + -1)]"),
    # sums, signs, products, quotients
    (r"-u_k + 2", "(-u[k] + 2)"),
    (r"+u_k - 2 - v_j", "(u[k] + -2 + -v[j])"),
    (r"-2u_k", "-(2*u[k])"),
    (r"2\cdot 3 \times u_k\,v_j", "(2*3*u[k]*v[j])"),
    (r"u_k(v_j + 1)[u_k]", "(u[k]*(v[j] + 1)*u[k])"),
    (r"\frac{u_k}{v_j} + \tfrac{1}{2} + \dfrac1N", "((u[k]/v[j]) + (1/2) + (1/N))"),
    (r"\frac1N u_k", "((1/N)*u[k])"),
    (r"2 u_k/v_j", "((2*u[k])/v[j])"),
    (r"1/\sqrt{u_k}", "(1/sqrt(u[k]))"),
    (r"1/\sum_j v_j", "(1/S_j{v[j]})"),
    (r"u_k^{-1/2}", "(u[k]^-1/2)"),
    (r"2^{-k}", "(2^-k)"),
    # brackets that only look different
    (r"\left(u_k + 1\right)\Big(\bigl[v_j\bigr]\Big)\lbrace u_k\rbrace", "((u[k] + 1)*v[j]*u[k])"),
    (r"\underbrace{u_k}_{\text{why, \textit{so}}} + \overbrace{v_j}^{\text{so}}", "(u[k] + v[j])"),
    (r"\underbrace{u_k + 1}_{\text{both}} + \textcolor{red}{v_j} + {\color{blue} 3}", "((u[k] + 1) + v[j] + 3)"),
    (r"\displaystyle \sum\nolimits_j v_j\;\!\, u_k~2", "S_j{(v[j]*u[k]*2)}"),
    # functions
    (r"\exp(u_k)v_j", "(exp(u[k])*v[j])"),
    (r"e^{u_k}v_j", "(exp(u[k])*v[j])"),
    (r"\log u_k + 1", "(log(u[k]) + 1)"),
    (r"-\log \mathrm{out}_{k,y_k}", "-log(out[k,y[k]])"),
    (r"2\log\frac{u_k}{2}", "(2*log((u[k]/2)))"),
    (r"\log\sum_j e^{v_j} - 1", "(log(S_j{exp(v[j])}) + -1)"),
    (r"\ln(u_k) + \sin[u_k] + \cos\left(u_k\right)", "(log(u[k]) + sin(u[k]) + cos(u[k]))"),
    (r"\tanh^2(u_k)", "(tanh(u[k])^2)"),
    (r"\sigma(u_k) + \operatorname{sigmoid}(u_k)", "(sigmoid(u[k]) + sigmoid(u[k]))"),
    (r"\operatorname{softplus}(u_k) + \operatorname{erf}(u_k)", "(softplus(u[k]) + erf(u[k]))"),
    (r"\max(0, u_k) + \min\{u_k, v_j, 1\}", "(max(0, u[k]) + min(u[k], v[j], 1))"),
    (r"|u_k||v_j| + \left|u_k - |v_j|\right|", "((abs(u[k])*abs(v[j])) + abs((u[k] + -abs(v[j]))))"),
    (r"\sqrt{u_k^2 + \epsilon}\, 2", "(sqrt(((u[k]^2) + epsilon))*2)"),
    # sums and maxima over a range
    (r"\sum_j x_{kj} v_j + 1", "(S_j{(x[k,j]*v[j])} + 1)"),
    (r"\sum_{j,c} w_{jc}", "S_j{S_c{w[j,c]}}"),
    (r"\sum_{jc} w_{jc}", "S_j{S_c{w[j,c]}}"),
    (r"\sum_{j=1}^{D} v_j", "S_j{v[j]}"),
    (r"\sum_{j=1}^D v_j", "S_j{v[j]}"),
    (r"\sum_{j=0}^{D-1} j v_j", "S_j{(j*v[j])}"),
    (r"2\sum_j v_j \sum_c w_{jc} u_k", "(2*S_j{(v[j]*S_c{(w[j,c]*u[k])})})"),
    (r"\Big(\sum_j v_j\Big)^2", "(S_j{v[j]}^2)"),
    (r"\sum_i u_i + \sum_i u_i^2", "(S_i{u[i]} + S_i{(u[i]^2)})"),
    (r"\max_j x_{kj} - \min_{j} x_{kj}", "(max_j{x[k,j]} + -min_j{x[k,j]})"),
    (r"\max_{j,c} (v_j w_{jc}) u_k", "(max_j{max_c{(v[j]*w[j,c])}}*u[k])"),
    # indicators, deltas, cases
    (r"\mathbf 1[u_k > 0]\,v_j", "([u[k] > 0]*v[j])"),
    (r"\mathbf{1}\{0 \le k < N\}", "[0 <= k & k < N]"),
    (r"\mathbb 1[u_k > 0, v_j \neq 1 \land k = 0]", "[u[k] > 0 & v[j] != 1 & k = 0]"),
    (r"\mathbf 1[y_k = c]", "[y[k] = c]"),
    (r"\delta_{ki}\delta_{c,y_k}\delta_{c y_k}", "(delta(k,i)*delta(c,y[k])*delta(c,y[k]))"),
    (r"\delta_{h,sq+r}", "delta(h,((s*q) + r))"),
    (
        r"\begin{cases} u_k, & \text{if } u_k > 0 \\ 0 & \text{otherwise} \end{cases}",
        "cases(u[k] > 0: u[k]; else: 0)",
    ),
    (
        r"\begin{cases} 1 & u_k > 0 \text{ and } v_j > 0 \\ 2 & \text{if } u_k \le 0 \end{cases} + 1",
        "(cases(u[k] > 0 & v[j] > 0: 1; u[k] <= 0: 2) + 1)",
    ),
    # subscripts that are computed
    (r"z_{sq+r}", "z[((s*q) + r)]"),
    (r"\mathbf 1[t \ge 1] g_{t-1}", "([t >= 1]*g[(t + -1)])"),
    (r"\mathbf 1[t > 0](g_t + 2 g_{t-1})", "([t > 0]*(g[t] + (2*g[(t + -1)])))"),
    (
        r"\mathbf 1[0 \le sq+r-P < H]\,z_{sq+r-P}",
        "([0 <= ((s*q) + r + -P) & ((s*q) + r + -P) < H]*z[((s*q) + r + -P)])",
    ),
    (r"\sum_h \delta_{h,sq+r+1} z_{sq+r+1}", "S_h{(delta(h,((s*q) + r + 1))*z[((s*q) + r + 1)])}"),
    (
        r"\begin{cases} g_{t-1} & \text{if } t > 0 \\ 0 & \text{otherwise} \end{cases}",
        "cases(t > 0: g[(t + -1)]; else: 0)",
    ),
    (r"F_{k,j,y_k} + F_{kjc}", "(F[k,j,y[k]] + F[k,j,c])"),
    # derivatives
    (r"dx_{kj}", "d:x[k,j]"),
    (r"2\,d\rho_c^2", "(2*(d:rho[c]^2))"),
    (r"\mathrm{dx}_{kj}", "d:x[k,j]"),
    (r"\mathrm{dout}_{kc}", "dout[k,c]"),
    (r"d\mathrm{out}_{kc}", "d:out[k,c]"),
    (r"\frac{\partial L}{\partial w_{jc}}", "d:w[j,c]"),
    (r"\frac{\partial \mu_k}{\partial x_{kj}}", "partial(mu[k], x[k,j])"),
    (r"\frac{\partial\,\mathrm{out}_{kc}}{\partial \mu_i}", "partial(out[k,c], mu[i])"),
    (r"\frac{\mathrm d\,\mathrm{out}_{kc}}{\mathrm{d} x_{ij}} u_k", "(total(out[k,c], x[i,j])*u[k])"),
    (r"\frac{d\mu_i}{\mu_i}", "(d:mu[i]/mu[i])"),
    # norms
    (r"\|x_k\|^2", "S_j{(x[k,j]^2)}"),
    (r"\lVert x_k \rVert_2", "sqrt(S_j{(x[k,j]^2)})"),
    (r"\|v\|_1", "S_j{abs(v[j])}"),
]


@pytest.mark.parametrize(("tex", "meaning"), RIGHT_SIDES, ids=[tex for tex, _ in RIGHT_SIDES])
def test_construct(understood: Understood, tex: str, meaning: str) -> None:
    # 0 has no indices, so the right side may have any
    assert understood(f"$$ 0 = {tex} $$") == [f"0 = {meaning}"]


@pytest.mark.parametrize(
    ("tex", "name"),
    [
        (r"\hat x", "x_hat"),
        (r"\hat{x}", "x_hat"),
        (r"\bar\gamma", "gamma_bar"),
        (r"\tilde{\mathrm{out}}", "out_tilde"),
        (r"\mathrm{rstd}", "rstd"),
        (r"\mathrm f", "f"),
        (r"\mathrm{next\_h}", "next_h"),
        (r"\varepsilon", "varepsilon"),
        (r"\Gamma", "Gamma"),
    ],
)
def test_names(read: Read, tex: str, name: str) -> None:
    assert name in read(rf"$$ {tex} \coloneqq 2 $$").definitions


def test_e_is_a_name_where_it_is_declared() -> None:
    page = parse_page("---\nscalars: {e: positive}\n---\n$$ e^2 = e\\,e $$\n")
    assert page.statements[0].left == t.Pow(t.Entry("e"), t.Num(Fraction(2)))


def test_d_is_an_index_where_it_is_declared_and_a_gradient_before_a_name() -> None:
    page = parse_page(
        "---\nsizes: {D: a}\nindices: {d e: D}\ntensors: {x: [D]}\noutput: L\n---\n"
        "$$ L \\coloneqq \\sum_d x_d^2 $$\n\n$$ dx_d = 2 x_d $$\n\n$$ \\sum_d d\\,\\delta_{de} = e $$\n"
    )
    assert isinstance(page.statements[1].left, t.Grad)
    left = page.statements[2].left
    assert isinstance(left, t.Sum) and isinstance(left.body, t.Mul) and isinstance(left.body.factors[0], t.Index)


def test_sigma_and_delta_are_names_where_they_are_declared() -> None:
    front = "---\nsizes: {N: a}\nindices: {i: N}\ntensors: {sigma: [N], delta: [N]}\n---\n"
    page = parse_page(front + "$$ \\sigma_i = \\delta_i $$\n")
    assert (page.statements[0].left, page.statements[0].right) == tuple(
        t.Entry(name, (t.Index("i", t.Size("N")),)) for name in ("sigma", "delta")
    )


# ------------------------------------------------------------------------------------------ relations


def test_kinds(new: New) -> None:
    found = new("$$ a_i \\coloneqq u_i $$\n\n$$ f_i := 2 u_i $$\n\n$$ a_i = u_i $$\n\n$$ a_i \\neq f_i $$\n")
    assert [one.kind for one in found] == ["definition", "definition", "claim", "mistake"]
    assert [one.display for one in found] == [2, 3, 4, 5]


def test_a_chain_claims_each_equality_between_neighbours(understood: Understood) -> None:
    assert understood("$$ u_i = u_i + 0 = 2 \\neq 3 $$") == ["u[i] = (u[i] + 0)", "(u[i] + 0) = 2", "2 != 3"]


def test_a_chain_may_begin_with_a_definition(understood: Understood) -> None:
    assert understood(r"$$ a_i \coloneqq u_i + 1 = 1 + u_i $$") == ["a[i] := (u[i] + 1)", "(u[i] + 1) = (1 + u[i])"]


def test_aligned_rows(new: New, understood: Understood) -> None:
    text = r"""
$$
\begin{aligned}
a_i &\coloneqq u_i + 1 \\
    &= 1 + u_i \\[2pt]
f_i &= 2
       - u_i \Big(3 \\
    &\quad + u_i\Big) \\
    &\qquad - 1 \\
& u_i^2 \\
& \quad = u_i\,u_i
\end{aligned}
\tag{chain}
$$

$$ f_i \coloneqq 0 $$
"""
    assert understood(text)[:4] == [
        "a[i] := (u[i] + 1)",
        "(u[i] + 1) = (1 + u[i])",
        "f[i] = (2 + -(u[i]*(3 + u[i])) + -1)",
        "(u[i]^2) = (u[i]*u[i])",
    ]
    found = new(text)
    assert [one.anchor for one in found] == ["chain"] * 4 + ["f"]
    assert [one.line - found[0].line for one in found[:4]] == [0, 1, 2, 7]
    assert found[1].latex == "u_i + 1 = 1 + u_i"


def test_several_relations_in_a_display(understood: Understood) -> None:
    found = understood(r"$$ u_i = 1, \qquad v_j = 2 \quad\text{and}\quad u_i = 3. $$")
    assert found == ["u[i] = 1", "v[j] = 2", "u[i] = 3"]


def test_definitions_hold_for_the_whole_page(read: Read) -> None:
    page = read("$$ a_i = 2 u_i $$\n\n$$ a_i \\coloneqq f_i + f_i $$\n\n$$ f_i \\coloneqq u_i $$\n")
    order = list(page.definitions)
    assert order.index("f") < order.index("a")
    assert order.index("mu") < order.index("out")


def test_decoration_means_nothing(understood: Understood) -> None:
    assert understood(r"$$ \boxed{u_i = \textcolor{red}{2}} \tag{box} $$") == ["u[i] = 2"]
    assert understood(r"$$ u_i = 2 \quad\text{(by the chain rule)} $$") == ["u[i] = 2"]
    assert understood("$$ u_i = 2. $$") == ["u[i] = 2"]


def test_conditions(new: New) -> None:
    def cases(text: str) -> list[list[tuple[str, str]]]:
        (one,) = new(f"$$ |u_i| = u_i {text} $$")
        return [[(c.op, type(c.left).__name__) for c in case.conditions] for case in one.cases]

    assert cases(r"\qquad \text{for } u_i > 0") == [[(">", "Entry")]]
    assert cases(r"\quad \text{if } u_i > 0, u_i = 0,") == [[(">", "Entry")], [("=", "Entry")]]
    found = cases(r"\text{for } u_i > 0 \text{ and } \epsilon \le 1, N = 3")
    assert found == [[(">", "Entry"), ("<=", "Entry")], [("=", "Size")]]
    assert cases(r"\text{when } 0 < u_i < 1") == [[("<", "Num"), ("<", "Entry")]]


def test_a_condition_belongs_to_the_relations_of_its_row(new: New) -> None:
    rows = "\\begin{aligned} u_i &= |u_i| \\qquad \\text{for } u_i > 0 \\\\ &= 2 \\end{aligned}"
    assert [len(one.cases) for one in new(f"$$ {rows} $$")] == [1, 0]
    rows = "\\begin{aligned} u_i &= |u_i| \\\\ &= 2 \\end{aligned} \\qquad \\text{for } u_i > 0"
    assert [len(one.cases) for one in new(f"$$ {rows} $$")] == [1, 1]


def test_a_fixed_size_lets_numbers_be_subscripts(understood: Understood) -> None:
    assert understood(r"$$ \sum_i u_i = u_0 + u_1 \qquad \text{for } N = 2 $$") == ["S_i{u[i]} = (u[0] + u[1])"]


def test_a_side_without_indices_holds_for_all_of_them(new: New) -> None:
    (one,) = new("$$ x_{ij} = 0 $$")
    assert [index.name for index in one.free] == ["i", "j"]
    (one,) = new("$$ 0 = x_{ij} $$")
    assert [index.name for index in one.free] == ["i", "j"]


def test_for_all_names_the_indices_that_a_side_lacks(new: New) -> None:
    (one,) = new(r"$$ x_{ij} = v_j \qquad \text{for all } i $$")
    assert [index.name for index in one.free] == ["i", "j"]
    assert one.cases == ()


def test_free_indices_in_order_of_appearance(new: New) -> None:
    (one,) = new(r"$$ v_j u_i = \sum_k S_{ik} v_j $$")
    assert [index.name for index in one.free] == ["j", "i"]


def test_not_checked(new: New) -> None:
    found = new(r"$$ u_i \to 0,\; v_j < \foo{2} \approx 3 \quad\text{(not checked: it is a limit)} \tag{lim} $$")
    assert [(one.kind, one.latex, one.reason, one.anchor) for one in found] == [
        ("unchecked", r"u_i \to 0", "it is a limit", "lim"),
        ("unchecked", r"v_j < \foo{2}", "it is a limit", "lim"),
        ("unchecked", r"\foo{2} \approx 3", "it is a limit", "lim"),
    ]
    (one,) = new(r"$$ \int_0^1 x\,dx \text{(not checked: the engine has no integrals)} $$")
    assert one.latex == r"\int_0^1 x\,dx"


def test_inline_relations_are_statements(new: New) -> None:
    found = new(r"Here $\mu_i = 2$, $\rho_c \neq 1$ and $a \coloneqq 3$ are.")
    assert [(one.kind, one.display, one.anchor) for one in found] == [
        ("claim", None, None),
        ("mistake", None, None),
        ("definition", None, None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        r"$N = 4$",
        r"$N = 4, D = 3$",
        r"$i = 0, \dots, N-1$",
        r"$\epsilon = 10^{-5}$",
        r"$(N, D) = (4, 3)$",
        r"$u = (1, 2)$",
        r"$u = 1$",
        r"$u_i = 1$",
        r"$x_{ij} = N$",
        r"$\epsilon \neq 0$",
        r"$0 \le i < N$",
        r"$u_i > 0$",
        r"$x \in [0, 1)$",
        r"$\sum_{i=1}^{N} u_i$",
        r"$\mathbf 1[y_i = c]$",
        r"$x_{ij}$",
        r"$\foo \to \bar{}$",
    ],
)
def test_inline_prose(new: New, text: str) -> None:
    assert new(text) == []


def test_anchors(read: Read) -> None:
    page = read(
        "$$ a_i \\coloneqq u_i $$\n\n$$ a_i = u_i \\tag{a-claim} $$\n\n"
        "$$ \\hat a \\coloneqq 1 \\tag{other} $$\n\n$$ u_i = 1 $$\n"
    )
    assert [one.anchor for one in page.displays[2:]] == ["a", "a-claim", "other", None]
    assert [one.anchor for one in page.statements[-4:]] == ["a", "a-claim", "other", None]


def test_places(read: Read) -> None:
    page = read("text\n\n$$\nu_i\n  = 2 u_i\n$$\n")
    display, one = page.displays[-1], page.statements[-1]
    lines = page.text.split("\n")
    assert lines[display.line - 1] == "$$"
    assert lines[one.line - 1] == "  = 2 u_i"
    assert one.latex == "u_i = 2 u_i"
    assert display.latex == "\nu_i\n  = 2 u_i\n"
    assert one.right is not None
    assert display.latex[one.right.at :].startswith("2 u_i")


def test_trees_know_their_offsets(read: Read) -> None:
    page = read(r"$$ u_i = \frac{2}{3}\sum_j x_{ij}\,v_j - \log \epsilon $$")
    tex = page.displays[-1].latex
    starts = {type(part).__name__: tex[part.at :][:6] for part in page.statements[-1].right.walk() if part.at >= 0}  # type: ignore[union-attr]
    assert starts["Sum"] == r"\sum_j"
    assert starts["Div"] == r"\frac{"
    assert starts["Neg"] == r"\log \\"[:6]
    assert starts["Call"] == r"\log \\"[:6]


# ------------------------------------------------------------------------------------------ whole pages

EXAMPLE = r"""---
title: Row normalization
sizes: {N: rows, D: features}
indices: {n: N, d e f: D}
tensors: {x: [N, D], dout: [N, D]}
output: out
assume: [s_n > 0]
---

# Row normalization

$$
dx_{nf} = \frac{1}{s_n}\Big(\mathrm{dout}_{nf} - \mathrm{out}_{nf}\sum_e \mathrm{dout}_{ne}\,\mathrm{out}_{ne}\Big)
$$

$$ s_n \coloneqq \sqrt{\sum_d x_{nd}^2} $$

$$ \mathrm{out}_{nd} \coloneqq \frac{x_{nd}}{s_n} $$

We need $s_n > 0$.

$$ \frac{\partial s_n}{\partial x_{nf}} = \frac{x_{nf}}{s_n} $$

$$
\begin{aligned}
dx_{nf} &= \frac{\mathrm{dout}_{nf}}{s_n} + ds_n\,\frac{x_{nf}}{s_n} \\
        &= \frac{1}{s_n}\Big(\mathrm{dout}_{nf} - \mathrm{out}_{nf}\sum_e \mathrm{dout}_{ne}\,\mathrm{out}_{ne}\Big)
\end{aligned}
$$

$$ \sum_f x_{nf}\,dx_{nf} = 0 $$

$$ dx_{nf} \neq \frac{\mathrm{dout}_{nf}}{s_n} $$

1. Put ε inside the root.

    ??? success "Solution"
        Only the meaning of $s_n$ changes.
"""


def test_the_example_page() -> None:
    page = parse_page(EXAMPLE, "normalization.md")
    kinds = [one.kind for one in page.statements]
    assert kinds == ["claim", "definition", "definition", "claim", "claim", "claim", "claim", "mistake"]
    assert list(page.definitions) == ["s", "out"]
    assert page.declarations.outputs == (t.Output("out", "dout"),)
    assert len(page.displays) == 7
    diagonal = page.statements[3].left
    assert isinstance(diagonal, t.Partial) and diagonal.of.subs[0] == diagonal.wrt.subs[0]


def test_a_page_without_front_matter_states_nothing_about_names() -> None:
    page = parse_page("# Title\n\nText with $1 + 1 = 2$.\n")
    assert (page.title, len(page.statements), page.definitions) == ("Title", 1, {})


def test_reading_is_fast() -> None:
    parse_page(EXAMPLE)  # builds the parser
    begin = time.process_time()
    for _ in range(5):
        parse_page(EXAMPLE)
    assert (time.process_time() - begin) / 5 < 0.1


def test_read_page_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "own.md"
    path.write_text(EXAMPLE, encoding="utf-8")
    page = read_page(path)
    assert (page.path, page.id) == (str(path), "own")
    path.write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_page(path)
