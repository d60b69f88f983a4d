"""Habits of the code that no linter knows."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = ("layers", "losses", "optim", "classifiers", "generative", "visualization")
SOURCES = sorted((ROOT / "cs231n").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
CONCEPTS = [path for path in SOURCES if path.parent.name in FAMILIES and not path.name.startswith("_")]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


#: those that are no façade: something stands in them
WRITTEN = [path for path in CONCEPTS if any(isinstance(node, Function | ast.ClassDef) for node in tree(path).body)]


# ---------------------------------------------------------------------------------------------- docstrings


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_docstrings(path: Path) -> None:
    module = tree(path)
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(module), "the module has no docstring"
    for node in ast.walk(module):
        if isinstance(node, Function | ast.ClassDef | ast.Module) and node.body:
            literal = ast.get_source_segment(text, node.body[0]) if ast.get_docstring(node, clean=False) else None
            if literal and "\\" in literal:
                assert literal.startswith(("r", "R")), f"line {node.body[0].lineno}: write a raw docstring"
    for node in module.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            short = (node.end_lineno or 0) - node.lineno < 8  # its name and its body say all
            assert short or ast.get_docstring(node), f"{node.name} (line {node.lineno}) has no docstring"


@pytest.mark.parametrize("path", [*WRITTEN, ROOT / "cs231n" / "gradient_check.py"], ids=name_of)
def test_docstrings_of_copied_code_say_what_a_reader_needs(path: Path) -> None:
    public = [node for node in tree(path).body if not getattr(node, "name", "_").startswith("_")]
    functions = [node for node in public if isinstance(node, Function)]
    methods = {
        node: owner
        for owner in public
        if isinstance(owner, ast.ClassDef)
        for node in owner.body
        if isinstance(node, Function) and (node.name == "__init__" or not node.name.startswith("_"))
    }
    assert functions or methods
    for function in [*functions, *methods]:
        doc = inspect.cleandoc(ast.get_docstring(function) or "")
        sections = re.findall(r"^(Args|Returns|Raises|Examples?):$", doc, re.MULTILINE)
        assert "Args" in sections, f"{function.name}: no Args"
        if function.returns is None or ast.unparse(function.returns) != "None":
            assert "Returns" in sections, f"{function.name}: no Returns"
        if any(isinstance(node, ast.Raise) for node in ast.walk(function)):
            assert "Raises" in sections, f"{function.name}: raises, and does not say what"
        examples = doc + (ast.get_docstring(methods[function]) or "" if function in methods else "")
        assert ">>>" in examples, f"{function.name}: no doctest"
        assert "$$" not in doc, f"{function.name}: a displayed equation belongs to the page"
        for argument in function.args.args[function in methods :] + function.args.kwonlyargs:
            assert re.search(rf"^ +{argument.arg}\b.*:", doc, re.MULTILINE), f"{function.name}: {argument.arg}?"


# ------------------------------------------------------------------------------------------------- imports


def needs_pytorch(path: Path) -> bool:
    """A chapter for tensors."""
    return path.stem.endswith("_pytorch") or name_of(path) == "cs231n/classifiers/transformer.py"


@pytest.mark.parametrize("path", [path for path in WRITTEN if not needs_pytorch(path)], ids=name_of)
def test_a_concept_can_be_pasted_into_a_notebook(path: Path) -> None:
    """It imports NumPy and typing, and nothing of this package; a network is made of layers of this package."""
    allowed = {"__future__", "numpy", "typing"}
    inside = {name for name in imported(path, whole=True) if name.startswith("cs231n")}
    if path.parent.name in ("classifiers", "generative"):
        allowed |= {"os", "cs231n"}
        assert inside <= {"cs231n", "cs231n.fast_layers", "cs231n.layer_utils", "cs231n.layers", "cs231n.losses"}
    elif name_of(path) == "cs231n/layers/transformer.py":  # a block is made of whole layers
        allowed |= {"cs231n"}
        assert all(name.startswith("cs231n.layers.") for name in inside)
    assert imported(path) <= allowed


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("calculus", {"sympy"}),
        ("pages", {"lark", "sympy", "yaml"}),
    ],
)
def test_data_flows_one_way(package: str, allowed: set[str]) -> None:
    """The engine and the reader of pages run in a browser, and know nothing of what uses them."""
    inside = {"calculus": {"cs231n.calculus"}, "pages": {"cs231n.calculus", "cs231n.pages"}}[package]
    for path in (ROOT / "cs231n" / package).rglob("*.py"):
        for name in imported(path, whole=True):
            top = name.partition(".")[0]
            if top == "cs231n":
                assert ".".join(name.split(".")[:2]) in inside, f"{name_of(path)} imports {name}"
            else:
                assert top in allowed or top in sys.stdlib_module_names, f"{name_of(path)} imports {name}"


def test_the_evaluator_shares_no_code_with_the_engine() -> None:
    path = ROOT / "cs231n" / "checking" / "evaluate.py"
    used = imported(path, whole=True)
    assert not {name for name in used if name.startswith(("cs231n.calculus", "sympy", "numpy", "cs231n.pages.lower"))}


def imported(path: Path, whole: bool = False) -> set[str]:
    """The modules that a file imports at any level, for type checking only excepted."""
    module = tree(path)
    for node in ast.walk(module):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            here = path.relative_to(ROOT).with_suffix("").parts[: -node.level]
            names.add(".".join(filter(None, [*(here if node.level else ()), node.module])))
    return names if whole else {name.partition(".")[0] for name in names}


# ------------------------------------------------------------------------------------------------- traps


def test_nothing_stands_on_what_was_taken_away() -> None:
    """No helper of Python 2, no build tool that left the library, no shape set in place, no folder without __init__."""
    gone = {"__builtin__", "builtins", "distutils", "future", "imp", "past", "six"}
    for path in (ROOT / "cs231n").rglob("*.py"):
        assert not imported(path) & gone, name_of(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Assign):
                targets = {ast.unparse(target) for target in node.targets} - {"self.shape"}
                assert not any(target.endswith(".shape") for target in targets), (
                    f"{name_of(path)}:{node.lineno}: reshape instead"
                )
        assert (path.parent / "__init__.py").is_file(), f"{name_of(path)}: its folder is no package"


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_no_upstream_gradient_is_all_ones(path: Path) -> None:
    """With dout = 1 everywhere, batchnorm's dx is 0 whatever the formula: such a test proves nothing."""
    ones = re.compile(r"^(np|numpy|torch)\.(ones|ones_like)\(|^(np|numpy|torch)\.full(_like)?\(.*, 1(\.0*)?\)$")
    for node in ast.walk(tree(path)):
        suspects: list[ast.expr] = []
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and re.match(r"dout|upstream|dy$|dloss", target.id) for target in node.targets
        ):
            suspects = [node.value]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_backward") and node.args:
            suspects = [node.args[0]]
        for suspect in suspects:
            assert not ones.match(ast.unparse(suspect)), f"line {suspect.lineno}: draw it at random"
