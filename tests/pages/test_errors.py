r"""Everything that a reader would have to guess is an error, with its place.

In the pages below ``«…»`` marks the piece that the message must name; its line and column are counted.
"""

from __future__ import annotations

import pytest

from cs231n.pages import PageError, parse_page

FRONT = r"""---
sizes: {N: rows, D: columns, C: classes, s: stride, P: padding, Q: windows, R: window, H: height, T: steps}
indices: {i k: N, j l: D, c: C, p: P, q: Q, r: R, h: H, t: T}
tensors: {x: [N, D], u: [N], v: [D], z: [H], g: [T], dout: [N, D], mask: {shape: [N, D], gradient: false}}
scalars: {epsilon: positive}
labels: {y: {shape: [N], classes: C}}
output: out
assume: ['H \ge s(Q-1)+R']
---
$$ \mathrm{out}_{ij} \coloneqq x_{ij} + a_j $$

$$ a_j \coloneqq \sum_i x_{ij}^2 $$

"""


def check(marked: str, message: str) -> None:
    """Read the page without the marks; the error must stand where they were."""
    start = marked.index("«")
    text = marked.replace("«", "").replace("»", "")
    piece = " ".join(marked[start + 1 : marked.index("»")].split())
    with pytest.raises(PageError) as caught:
        parse_page(text, "wrong.md")
    error = caught.value
    line = marked.count("\n", 0, start) + 1
    column = start - marked.rfind("\n", 0, start)
    assert (error.line, error.column, error.piece) == (line, column, piece), str(error)
    assert message in error.message
    assert str(error) == f"wrong.md:{line}:{column}: {error.message}: `{piece}`"


FORMULAS = {
    # indices
    "free and summed": (r"$$ a_j = u_i «\sum_i» x_{ij} $$", "both free and summed"),
    "free and summed inside a fraction": (r"$$ u_i = \frac{e^{u_i}}{«\sum_i» e^{u_i}} $$", "both free and summed"),
    "free and summed beside an array": (r"$$ 0 = u_i «\sum_i» u_i v $$", "both free and summed"),
    "shadowing beside an array": (r"$$ 0 = «\sum_i» \sum_i u_i v $$", "already bound inside"),
    "counted from one beside an array": (r"$$ 0 = «\sum_{t=1}^{T}» t v $$", "indices run from 0"),
    "shadowing": (r"$$ a_j = «\sum_i» \Big(\sum_i x_{ij}\Big) $$", "already bound inside"),
    "shadowed by a maximum": (r"$$ a_j = «\sum_i» \max_i x_{ij} $$", "already bound inside"),
    "range": (r"$$ a_j = x_{«j»i} $$", "j runs over D, but stands at an axis of length N"),
    "range of an affine subscript": (r"$$ 0 = \sum_q z_{«sq+r+1»} $$", "not always inside its axis of length H"),
    "below the range": (r"$$ g_t = g_{«t-1»} $$", "not always inside its axis of length T"),
    "guarded from one side only": (r"$$ 0 = \mathbf 1[sq+r-1 < H]\, z_{«sq+r-1»} $$", "not always inside"),
    "guard under a negative power": (r"$$ 0 = \mathbf 1[t > 0]\, g_{«t-1»}^{-2} $$", "not always inside"),
    "guard about real numbers": (
        r"$$ 0 = \mathbf 1[0 < \epsilon < 1]\, g_{«t-1»} $$", "not always inside"),
    "guard by halves": (r"$$ 0 = \mathbf 1[t > 0.5]\, g_{«t-1»} $$", "not always inside"),
    "guard of another subscript": (r"$$ 0 = \mathbf 1[sq+r < H]\, z_{«sq+r+1»} $$", "not always inside"),
    "guard outside a function": (r"$$ 0 = \mathbf 1[t > 0]\, e^{g_{«t-1»}} $$", "not always inside"),
    "guard under a division": (r"$$ 0 = \frac{\mathbf 1[t > 0]}{g_{«t-1»}} $$", "not always inside"),
    "range of a definition": (r"$$ a_{«i»} = a_j $$", "i runs over N, but stands at an axis of length D"),
    "range of labels": (r"$$ u_i = x_{i,«y_i»} $$", "not always inside its axis of length D"),
    "upper bound one less": (r"$$ a_j = «\sum_{i=1}^{N-1}» x_{ij}^2 $$", "is declared with range N"),
    "upper bound of another axis": (r"$$ a_j = «\sum_{i=1}^{D}» x_{ij}^2 $$", "is declared with range N"),
    "lower bound": (r"$$ a_j = «\sum_{i=2}^{N}» x_{ij}^2 $$", "is declared with range N"),
    "counted from one in a subscript": (r"$$ 0 = «\sum_{q=1}^{Q}» z_{sq+r} $$", "indices run from 0"),
    "counted from one as a number": (r"$$ 0 = «\sum_{t=1}^{T}» t g_t $$", "indices run from 0"),
    "sum up to": (r"$$ a_j = \sum_{«i<N»} x_{ij}^2 $$", "whole ranges"),
    "sum without one": (r"$$ a_j = \sum_{«i \neq k»} x_{ij}^2 $$", "whole ranges"),
    "no lower bound": (r"$$ a_j = «\sum_i^N» x_{ij}^2 $$", "without a lower one"),
    "no upper bound": (r"$$ a_j = «\sum_{i=1}» x_{ij}^2 $$", "upper bound is missing"),
    "sum over a size": (r"$$ a_j = \sum_{«N»} x_{ij}^2 $$", "not a declared index"),
    "sum of nothing": (r"$$ a_j = «\sum_i» $$", "nothing stands behind"),
    "free on one side": (r"$$ a_j = x_{«i»j} $$", "free on one side only"),
    "free here, summed there": (r"$$ x_{«i»j} = \sum_i x_{ij} $$", "i is free here and summed on the other side"),
    "free on the other side": (r"$$ x_{«i»j} = a_j $$", "free on one side only"),
    "index of a condition": (r"$$ a_j = a_j \qquad \text{for } «u_i > 0» $$", "not free in the relation"),
    # names
    "undeclared": (r"$$ a_j = «b»_j $$", "neither declared nor defined"),
    "letters of a declared name": (r"$$ a_j = «dout»_{ij} $$", r"several letters is written \mathrm{dout}"),
    "letters of a gradient": (r"$$ a_j = 2«dmask»_{ij} $$", r"is written \mathrm{dmask}"),
    "letters of a new name": (r"$$ «row_i» := u_i $$", r"is written \mathrm{row}"),
    "undeclared gradient": (r"$$ a_j = «\mathrm{db}»_j $$", "of which it would be the gradient"),
    "gradient of an undeclared name": (r"$$ a_j = «d» b_j $$", "before a known name it makes a gradient"),
    "too many subscripts": (r"$$ a_j = «v_{ij}» $$", "v has 1 axis (D), not 2"),
    "too few subscripts": (r"$$ a_j = «x_{j}» $$", "x has 2 axes (N, D), not 1"),
    "subscript of a scalar": (r"$$ a_j = «\epsilon_j» $$", "epsilon has 0 axes, not 1"),
    "subscript of a size": (r"$$ a_j = «N_j» $$", "takes no subscripts"),
    "real subscript": (r"$$ a_j = v_{«\epsilon»} $$", "integer expression"),
    "product of indices": (r"$$ 0 = z_{«2hq»} $$", "separate the subscripts by commas"),
    # definitions
    "defined twice": ("$$ b_i \\coloneqq u_i $$\n\n$$ «b_k» \\coloneqq u_k $$", "already defined in line 14"),
    "defined by itself": (r"$$ «b_i» \coloneqq b_i + 1 $$", "defined by itself"),
    "defined in a circle": (r"$$ «b_i» \coloneqq f_i \qquad f_i \coloneqq b_i $$", "b → f → b"),
    "matrix defined by itself": (r"$$ «f» \coloneqq f x $$", "defined by itself"),
    "gradient defined": (r"$$ «da_j» \coloneqq 0 $$", "computed and never defined"),
    "gradient defined in one word": (r"$$ «\mathrm{da}_j» \coloneqq 0 $$", "computed and never defined"),
    "repeated index on the left": (r"$$ «b_{ii}» \coloneqq u_i $$", "the same index twice"),
    "named like a size": (r"$$ «N» \coloneqq 3 $$", "N is a size"),
    "named like an index": (r"$$ «i» \coloneqq 3 $$", "i is an index"),
    "named like a tensor": (r"$$ «x_{ij}» \coloneqq 3 $$", "declared in the front matter"),
    "named d": (r"$$ «d_i» \coloneqq 3 $$", "called d"),
    "free index no parameter": (r"$$ b_i \coloneqq u_i v_«j» $$", "j is no parameter of b"),
    "subscript on the left": (r"$$ b_{«i+1»} \coloneqq u_i $$", "every subscript is a declared index"),
    "power on the left": (r"$$ «b_i^2» \coloneqq u_i^2 $$", "a power cannot be defined"),
    "product on the left": (r"$$ «u_i b_i» \coloneqq u_i $$", "stands one name"),
    "definition inside a chain": (r"$$ u_i = b_i «\coloneqq» 3 $$", "begins its chain"),
    # what could be read in two ways
    "a/bc": (r"$$ a_j = 1/«N a_j» $$", "does the division go on here"),
    "a/b times c": (r"$$ a_j = 1/«N \cdot a_j» $$", "does the division go on here"),
    "function and more": (r"$$ a_j = «\log a_j N» $$", "does the argument of the function go on"),
    "function and division": (r"$$ a_j = «\log a_j / N» $$", "does the argument of the function go on"),
    "maximum and more": (r"$$ a_j = «\max_i x_{ij} N» $$", "does the argument of the function go on"),
    "sum as an argument without brackets": (r"$$ a_j = \exp «{a_j + 1}» $$", "needs brackets"),
    "function to a power": (r"$$ a_j = «\log (a_j)^2» $$", "is the function or its argument raised"),
    "inverse function": (r"$$ a_j = «\tanh^{-1}»(a_j) $$", "inverse function"),
    "sum in invisible braces": (r"$$ a_j = 2 «{a_j + 1}» $$", "needs brackets"),
    "sum under a brace": (r"$$ a_j = 2 «\underbrace{a_j + 1}_{\text{both}}» $$", "needs brackets"),
    "two digits without braces": (r"$$ a_j = a_j^«12» $$", "TeX takes one digit"),
    "quotient of gradients": (r"$$ 0 = «\frac{dx_{ij}}{da_j}» $$", "write \\mathrm d"),
    "two relations side by side": (r"$$ u_i = 1 \text{ or } «u_i = 2» $$", "words between formulas"),
    "or between conditions": (r"$$ u_i = 1 \text{ for } u_i > 0 «\text{ or }» u_i < 0 $$", "separated by commas"),
    "condition inside words": (r"$$ u_i = 1 «\text{ for u > 0}» $$", "the condition behind it"),
    "no condition": (r"$$ u_i = 1 \qquad «\text{for }» $$", "the condition is missing"),
    "for all of what is not free": (r"$$ u_i = 1 \qquad \text{for all } «j» $$", "not free in the relation"),
    "for all with a condition": (r"$$ u_i = 1 \qquad \text{for all } «i > 0» $$", "index letters"),
    "expression behind a wide space": (r"$$ u_i = 1 \qquad «v_j» $$", "belongs to no relation"),
    # shapes
    "shapes of a sum": (r"$$ x = «x + v» $$", "shapes do not match: (N, D) and (D, 1)"),
    "shapes of a product": (r"$$ x = «x x» $$", "shapes do not match in a matrix product: (N, D) and (N, D)"),
    "shapes of a claim": (r"$$ «x = v» $$", "shapes do not match: (N, D) and (D, 1)"),
    "array and subscripts": (r"$$ «x = u_i» $$", "shapes do not match: (N, D) and a single number"),
    "array in a definition with indices": (r"$$ b_i \coloneqq «x» $$", "the right side is (N, D)"),
    "division by an array": (r"$$ x = \frac{1}«{x}» $$", r"\oslash"),
    "power of an array": (r"$$ x = «x^2» $$", "a power of an array"),
    "transpose of a number": (r"$$ a_j = «a_j^\top» $$", "a number has no transpose"),
    "row defined": (r"$$ b \coloneqq «\operatorname{colsum}(x)» $$", "a row cannot be defined"),
    # derivatives
    "no path": (r"$$ «du_i» = 0 $$", "no path leads from u to the output out"),
    "no path, as a fraction": (r"$$ «\frac{\partial L}{\partial u_i}» = 0 $$", "no path"),
    "without gradient": (r"$$ «d\mathrm{mask}_{ij}» = 0 $$", "declared without gradient"),
    "not on its own line": (r"$$ «\frac{\partial\,\mathrm{out}_{ij}}{\partial u_k}» = 0 $$", "defining line of out"),
    "derivative of an input": (r"$$ «\frac{\partial x_{ij}}{\partial v_l}» = 0 $$", "x is an input"),
    "independent": (r"$$ «\frac{\mathrm d a_j}{\mathrm d v_l}» = 0 $$", "a does not depend on v"),
    "with respect to labels": (r"$$ \frac{\partial a_j}{\partial «y»_i} = 0 $$", "whole number"),
    "second derivative": (r"$$ 0 = «\frac{\partial^2 a_j}{\partial x_{ij}^2}» $$", "second derivatives"),
    "of an expression": (r"$$ 0 = «\frac{\partial (a_j)}{\partial x_{ij}}» $$", "name it first"),
    "half a derivative": (r"$$ 0 = «\frac{\partial a_j}{x_{ij}}» $$", "a derivative is written"),
    # relations and arrangement
    "inequality": (r"$$ a_j «\ge» 0 $$", "this relation is not checked"),
    "approximation": (r"$$ a_j «\approx» 0 $$", "this relation is not checked"),
    "limit": (r"$$ a_j «\to» 0 $$", "this relation is not checked"),
    "distribution": (r"$$ u_i «\sim» v_i $$", "this relation is not checked"),
    "no relation": (r"$$ «a_j» $$", "needs a relation"),
    "no reason": (r"$$ a_j > 0 «\text{(not checked)}» $$", "say why"),
    "one side": (r"$$ a_j «=» $$", "one side of this relation is missing"),
    "no left side": (r"$$ «=» a_j $$", "nothing stands left"),
    "tag in the middle": (r"$$ a_j «\tag{x}» = a_j $$", "at the end"),
    "tag with a blank": (r"$$ a_j = a_j «\tag{a b}» $$", "letters, digits and hyphens"),
    "tag twice": ("$$ a_j = a_j \\tag{b} $$\n\n$$ a_j = a_j «\\tag{b}» $$", "already used in line 14"),
    "two tags": (r"$$ a_j = a_j \tag{b} «\tag{c}» $$", "one tag"),
    "rows without aligned": (r"$$ a_j = a_j «\\» a_j = a_j $$", "aligned"),
    "another environment": (r"$$ «\begin{align}» a_j &= a_j \end{align} $$", "only aligned and cases"),
    # TeX
    "unknown command": (r"$$ a_j = «\foo» a_j $$", "not in the dialect"),
    "unknown sign": (r"$$ a_j = a_j«'» $$", "not in the dialect"),
    "bracket closed": (r"$$ a_j = a_j«)» $$", "closes nothing"),
    "sign without operand": (r"$$ a_j = a_j + «\cdot» a_j $$", "does not fit here"),
    "unknown function": (r"$$ a_j = «\operatorname{relu}»(a_j) $$", "relu is not known"),
    "two arguments": (r"$$ a_j = «\exp(a_j, 1)» $$", "takes one argument"),
    "a case without condition": (
        r"$$ a_j = \begin{cases} 1 & a_j > 0 \\ 0 «\end{cases}» $$", "value & \\text{if } condition"),
    "otherwise first": (
        r"$$ a_j = \begin{cases} «1» & \text{otherwise} \\ 0 & a_j > 0 \end{cases} $$", "otherwise is the last"),
    "words in a formula": (r"$$ a_j = (a_j «\text{ or }» 1) $$", "words do not belong"),
    # Markdown
    "not closed": ("«$$ a_j = a_j»\n\nText.", "a blank line ends this display"),
    "round brackets": (r"«\(»a_j = a_j\)", "write $ … $"),
    "square brackets": (r"«\[» a_j = a_j \]", "write $$ … $$"),
    "environment in the text": ("«\\begin{equation}»\na_j = a_j\n\\end{equation}", "put $$ around it"),
    "math fence": ("«```math»\na_j = a_j\n```", "write $$ … $$"),
    "lonely dollar": ("it costs «$5 or so»\n", "nothing closes"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMULAS)
def test_formula(kind: str) -> None:
    marked, message = FORMULAS[kind]
    check(FRONT + marked + "\n", message)


def test_error_in_a_later_row() -> None:
    check(
        FRONT + "$$\n\\begin{aligned}\na_j &= \\sum_i x_{ij}^2 \\\\\n&= «b»_j\n\\end{aligned}\n$$\n", "neither declared"
    )


def test_error_inside_an_admonition() -> None:
    check(FRONT + '1. Why?\n\n    ??? success "Solution"\n        $$ a_j = «b»_j $$\n', "neither declared")


def test_error_in_an_inline_formula() -> None:
    check(FRONT + "Since $a_j = «b»_j$, nothing.\n", "neither declared")


def test_an_index_called_e_is_no_exponential() -> None:
    front = "---\nsizes: {N: rows}\nindices: {n e: N}\ntensors: {x: [N]}\n---\n"
    check(
        front + r"$$ p_n := «e»^{x_n} $$", r"no parameter of p (e is an index here: write the exponential as \exp(…))"
    )
    check(front + r"$$ x_n = «e»^{x_n} $$", r"free on one side only (e is an index here")
    check(front + r"$$ x_«n» = x_e $$", r"free on one side only (if that is meant: \text{for all } n)")


def test_a_file_without_front_matter() -> None:
    check("# Mine\n\n$$ «x»_n = 2 $$\n", "neither declared nor defined: the file has no front matter")
    check("# Mine\n\n$$ z_{«n»} := 2 $$\n", "declared index: the file has no front matter")
    with pytest.raises(PageError) as caught:
        parse_page("---\ntitle: Mine\n---\n$$ x_n = 2 $$\n")
    assert "front matter" not in str(caught.value)


SIZES = "sizes: {N: rows}\n"
FRONT_MATTER = {
    "unknown key": ("«author»: me\n", "unknown key"),
    "key twice": ("title: a\n«title»: b\n", "stands twice"),
    "nested key twice": ("sizes: {N: rows, «N»: columns}\n", "stands twice"),
    "list for a mapping": ("sizes: «[N, D]»\n", "must be a mapping"),
    "text for a list": (SIZES + "tensors: {x: «N»}\n", "must be a mapping"),
    "mapping for text": ("title: «{a: b}»\n", "must be text"),
    "unknown size": (SIZES + "tensors: {x: [«D»]}\n", "neither declared nor defined"),
    "size by two": (SIZES + "tensors: {x: [N«/»2]}\n", "integer expression"),
    "index of an unknown size": (SIZES + "indices: {i: «D»}\n", "neither declared nor defined"),
    "index twice": (SIZES + "indices: {i j: N, «i k»: N}\n", "already an index"),
    "tensor named like a size": (SIZES + "tensors: {«N»: [N]}\n", "already a size"),
    "scalar named like an index": (SIZES + "indices: {i: N}\nscalars: {«i»: positive}\n", "already an index"),
    "scalar named like a tensor": (SIZES + "tensors: {x: [N]}\nscalars: {«x»: positive}\n", "already a tensor"),
    "tensor named d": (SIZES + "tensors: {«d»: [N]}\n", "only an index may be called d"),
    "scalar named d": ("scalars: {«d»: positive}\n", "only an index may be called d"),
    "a name with a backslash": ("scalars: {«\\epsilon»: positive}\n", "Greek ones are spelled"),
    "a sign": ("scalars: {a: «negative»}\n", "a scalar is one of"),
    "an option": (SIZES + "tensors: {x: {shape: [N], «shap»: 1}}\n", "unknown key of a tensor"),
    "no shape": (SIZES + "tensors: {«x»: {sign: positive}}\n", "needs a shape"),
    "gradient": (SIZES + "tensors: {x: {shape: [N], gradient: «maybe»}}\n", "true or false"),
    "values": (SIZES + "tensors: {x: {shape: [N], values: [0, «one»]}}\n", "a value is a number"),
    "least": ("sizes: {N: {least: «-1»}}\n", "whole number from 0"),
    "exact below the least": ("sizes: {N: {least: 2, exact: «1»}}\n", "exact is a whole number from 2"),
    "labels without classes": (SIZES + "labels: {«y»: {shape: [N]}}\n", "labels need classes"),
    "a second gradient": (SIZES + "tensors: {x: [N], «dx»: [N]}\n", "already means the gradient"),
    "undefined output": (SIZES + "output: «out»\n", "is not defined on this page"),
    "unknown upstream": (SIZES + "outputs: {a: «da»}\n", "not a declared tensor"),
    "both outputs": ("output: a\n«outputs»: {a: da}\n", "either output or outputs"),
    "assume without a relation": (SIZES + "assume: [«'N'»]\n", "assume holds conditions"),
    "assume about nothing": (SIZES + "assume: [«q» > 0]\n", "neither declared nor defined"),
    "condition in quotes": (SIZES + "assume: ['N > «q»']\n", "neither declared nor defined"),
    "code is no list": ("code: «{call: a.b}»\n", "must be a list"),
    "no call": ("code: [«{returns: a}»]\n", "which function"),
    "not a function": ("code: [{call: «affine»}]\n", "module.function"),
    "unknown key of a call": ("code: [{call: a.b, «args»: {}}]\n", "unknown key of a call"),
    "unknown symbol": ("code: [{call: a.b, arguments: {x: «x»}}]\n", "neither a symbol of the page"),
    "a bare number": ("code: [{call: a.b, arguments: {x: «3»}}]\n", "a constant is written"),
    "a nested unknown symbol": ("code: [{call: a.b, arguments: {p: {q: «x»}}}]\n", "neither a symbol of the page"),
    "returned to a number": ("code: [{call: a.b, returns: [«3»]}]\n", "goes to a name"),
    "drawn, undeclared": ("code: [{call: a.b, returns: [c], draws: {«m»: c.m}}]\n", "only a declared tensor"),
    "drawn from nowhere": ("scalars: {m: }\ncode: [{call: a.b, draws: {m: «c.m»}}]\n", "that this call returns"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FRONT_MATTER)
def test_front_matter(kind: str) -> None:
    marked, message = FRONT_MATTER[kind]
    check(f"---\n{marked}---\nText.\n", message)


def test_front_matter_that_is_no_yaml_names_its_line() -> None:
    with pytest.raises(PageError, match="single quotes") as caught:
        parse_page("---\ntitle: a\nassume: [p_{n} > 0]\n---\n", "wrong.md")
    assert (caught.value.line, caught.value.piece) == (3, "assume: [p_{n} > 0]")


def test_front_matter_is_closed() -> None:
    check("«---»\ntitle: a\n", "not closed")


def test_gradients_need_an_output() -> None:
    text = "---\nsizes: {N: rows}\nindices: {i: N}\ntensors: {x: [N]}\n---\n$$ «dx_i» = 0 $$\n"
    check(text, "declares no output")


def test_an_output_with_a_shape_needs_its_incoming_gradient() -> None:
    front = "---\nsizes: {N: rows}\nindices: {i: N}\ntensors: {x: [N]}\noutput: «out»\n---\n"
    text = front + "$$ \\mathrm{out}_i \\coloneqq x_i $$\n"
    check(text, "declare its incoming gradient dout")


def test_an_incoming_gradient_has_the_shape_of_its_output() -> None:
    text = (
        "---\nsizes: {N: rows, D: columns}\nindices: {i: N}\ntensors: {x: [N], dout: [D]}\noutput: «out»\n---\n"
        "$$ \\mathrm{out}_i \\coloneqq x_i $$\n"
    )
    check(text, "shapes do not match: out (N) and dout (D)")


def test_a_declared_gradient_beside_a_defined_name_is_an_output() -> None:
    front = "---\nsizes: {N: rows}\nindices: {i: N}\ntensors: {x: [N], «dout»: [N]}\n---\n"
    text = front + "$$ \\mathrm{out}_i \\coloneqq x_i $$\n"
    check(text, "or is output: out missing?")


def test_the_page_without_errors_is_read() -> None:
    """Each error above is due to what was planted."""
    assert len(parse_page(FRONT).statements) == 2
