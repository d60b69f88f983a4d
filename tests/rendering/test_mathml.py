import re
import xml.etree.ElementTree as ET

import pytest

from cs231n.rendering import mathml

#: Every construct of the dialect, and the side remarks and ornaments that pages use around it.
CONSTRUCTS = [
    r"a \coloneqq b",
    r"a := b",
    r"a \neq b \ne c",
    r"x_{ij} + x_{i,j} - x_{n,c,sp+r,sq+t}",
    r"p_{n,y_n}",
    r"\hat x_{ij}\,\bar x\,\tilde x\,\hat{x}",
    r"\mathrm{dout}_{ij}\,\mathrm{running\_mean}_j",
    r"d\gamma_j\,d\hat x_{ij}\,d\mathrm{rstd}_j",
    r"\frac{\partial a_i}{\partial b_j}\,\frac{\mathrm d a_i}{\mathrm d b_j}\,\frac{\partial L}{\partial v_i}",
    r"\tfrac12 \dfrac{1}{2}",
    r"\sum_i x_i \sum_{i,j} x_{ij} \sum_{i=1}^{N} 1",
    r"\max_c x_{nc}\,\min_c x_{nc}\,\max(0, x_{ij})",
    r"|x| + \lVert x \rVert^2 + \left| x \right|",
    r"\mathbf 1[\,x_{ij} > 0\,]\,\mathbf 1_N\,\mathbf{1}",
    r"\delta_{ij}\,\delta_{n,m}",
    r"\exp(x) e^{x} \log(x) \tanh(x) \sigma(x) \sin(x) \cos(x)",
    r"\operatorname{sigmoid}(x)\operatorname{softplus}(x)\operatorname{erf}(x)",
    r"\sqrt{x^2 + \epsilon}\,x^{-3/2}",
    r"\begin{cases} x & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}",
    "\\begin{aligned}\na &= b \\\\\n &= c \\\\[4pt]\n & - d\n\\end{aligned}\n\\tag{name}",
    r"a = b \qquad \text{for } x_{ij} > 0 \text{ and } y_{ij} < 0",
    r"a = b \qquad \text{for all } i",
    r"a \ge b \le c \geq d \leq e < f > g",
    r"X^\top\,\mathrm{dout} \odot Y \oslash Z",
    r"\operatorname{rowsum}(X)\operatorname{colsum}(X)\operatorname{sum}(X)\operatorname{tr}(X)\operatorname{diag}(v)",
    r"\underbrace{a + b}_{\text{through the mean}}",
    r"\boxed{a = b}",
    r"\textcolor{red}{x} + \color{blue} y",
    r"\big(a\big)\Big(b\Big)\bigg(c\bigg)\Bigg(d\Bigg)\bigl[e\bigr]\Big\{f\Big\}",
    r"\left( \frac a b \right) \left[ c \right] \left\{ d \right\}",
    r"a \cdot b \times c \, d \; e \: f \! g \quad h",
    r"\mathcal L\,\mathbb E\,\mathbb R\,\mathbf x",
    r"\alpha\beta\gamma\delta\epsilon\varepsilon\zeta\eta\theta\lambda\mu\nu\rho\sigma\tau\phi\psi\omega\Gamma\Sigma",
    r"a \approx b \to \infty \qquad \text{(not checked: it is a limit)}",
]


@pytest.mark.parametrize("tex", CONSTRUCTS)
def test_each_construct_is_drawn(tex):
    """Valid XML inside one <math>, with nothing left of the TeX."""
    drawn = mathml.display(tex)
    root = ET.fromstring(drawn)
    assert root.tag == "math"
    assert root.get("display") == "block"
    assert "\\" not in "".join(root.itertext())
    for part in mathml.inline(tex):
        ET.fromstring(part)


def test_tag_is_the_page_s_business():
    assert "name" not in mathml.display(r"a = b \tag{name}")


def test_the_remark_not_checked_is_left_to_the_badge():
    assert mathml.clean(r"a = b \qquad \text{(not checked: \epsilon{} goes to 0)} \tag{limit}") == "a = b"
    assert "for" in mathml.display(r"a = b \qquad \text{for } N = 3")


def test_both_definition_signs_are_one():
    assert mathml.display("a := b") == mathml.display(r"a \coloneqq b")
    assert "≔" in mathml.display("a := b")


def test_what_cannot_be_drawn_is_named():
    with pytest.raises(mathml.FormulaError, match=r"\\nosuchthing"):
        mathml.display(r"a = \nosuchthing b")


def test_long_inline_formulas_may_break_at_their_relations():
    tex = r"\mathrm{dout}_{ij} = \gamma_j\,\hat x_{ij} + \beta_j - \mathrm{running\_mean}_j\,(a = b)"
    parts = mathml.inline(tex)
    assert len(parts) == 4  # before =, +, −; not inside the brackets
    plain = ["".join(ET.fromstring(part).itertext()) for part in parts]
    assert "".join(plain) == "".join(ET.fromstring(mathml.display(tex)).itertext())
    assert all(re.match(r'<math><mrow><mo form="infix"', part) for part in parts[1:])


def test_short_inline_formulas_stay_whole():
    assert len(mathml.inline("a = b + c")) == 1


def test_a_sum_that_goes_on_in_the_next_row_keeps_the_space_after_its_sign():
    drawn = mathml.display(r"\begin{aligned} a &= b \\ & - c \end{aligned}")
    assert '<mo form="infix">−</mo><mi>c</mi>' in drawn


@pytest.mark.parametrize("bracket", [r"\Big)^{1/3}", r"\bigg]_i", r"\big\}_i^2"])
def test_a_large_bracket_stays_large_under_a_power_or_an_index(bracket):
    # Chromium draws it small, and too low, unless it stands in a row of its own
    drawn = mathml.display(rf"\big(a {bracket}")
    assert re.search(r"<m(sup|sub|subsup)><mrow><mo [^>]*minsize=[^>]*>[^<]*</mo></mrow>", drawn)


def test_a_relation_before_the_sign_of_alignment_keeps_the_space_behind_it():
    drawn = mathml.display(r"\begin{aligned} a = & b \\ & + c \end{aligned}")
    assert '<mo form="infix">=</mo></mtd>' in drawn
