"""Front matter → declarations: sizes, indices, tensors, labels, outputs. Conditions and code come later."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from cs231n.pages import ranges
from cs231n.pages import tree as t
from cs231n.pages.frontmatter import Entry, Item
from cs231n.pages.names import Names
from cs231n.pages.parser import parse
from cs231n.pages.subscripts import Subscripts

KEYS = (
    "title",
    "description",
    "sizes",
    "indices",
    "times",
    "tensors",
    "scalars",
    "labels",
    "output",
    "outputs",
    "assume",
    "code",
)
_SIGNS = {"": "", "real": "", "positive": "positive", "nonnegative": "nonnegative", "nonzero": "nonzero"}


def declare(front: Item) -> Names:
    """Read everything that gives names a meaning.

    Raises:
        PageError: unknown keys, wrong types, one name for two things, shapes in unknown sizes.
    """
    top = front.mapping("the front matter")
    for name, entry in top.items():
        if name not in KEYS:
            raise entry.key.error(f"unknown key; the keys are {', '.join(KEYS)}")
    names = Names()
    seen: dict[str, str] = {}
    _sizes(top, names, seen)
    names.bounds = ranges.Bounds({name: size.least for name, size in names.sizes.items()})
    _indices(top, names, seen)
    _times(top, names, seen)
    _tensors(top, names, seen)
    _scalars(top, names, seen)
    _labels(top, names, seen)
    _random(top, names)
    names.outputs = _outputs(top, names)
    _gradient_names(top, names)
    return names


def _section(top: dict[str, Entry], key: str) -> dict[str, Entry]:
    return top[key].item.mapping(key) if key in top and top[key].item.value is not None else {}


def _new(entry: Entry, name: str, what: str, seen: dict[str, str]) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise entry.key.error("a name is made of letters, digits and _ (Greek ones are spelled: epsilon)")
    if name in seen:
        raise entry.key.error(f"{name} is already {seen[name]}")
    if name == "d" and what != "an index":
        raise entry.key.error("only an index may be called d: before a name it makes a gradient")
    seen[name] = what


def _options(item: Item, allowed: tuple[str, ...], what: str) -> dict[str, Entry]:
    options = item.mapping(what)
    for name, entry in options.items():
        if name not in allowed:
            raise entry.key.error(f"unknown key of {what}; the keys are {', '.join(allowed)}")
    return options


def _text(options: dict[str, Entry], key: str) -> str:
    return options[key].item.text(key) if key in options and options[key].item.value is not None else ""


def _flag(options: dict[str, Entry], key: str, default: bool) -> bool:
    if key not in options:
        return default
    value = options[key].item.value
    if not isinstance(value, bool):
        raise options[key].item.error(f"{key} is true or false")
    return value


def _sizes(top: dict[str, Entry], names: Names, seen: dict[str, str]) -> None:
    for name, entry in _section(top, "sizes").items():
        _new(entry, name, "a size", seen)
        means = ""
        numbers: dict[str, int] = {}
        if isinstance(entry.item.value, dict):
            options = _options(entry.item, ("means", "least", "exact"), "a size")
            means = _text(options, "means")
            for key in ("least", "exact"):
                if key not in options:
                    continue
                number = numbers[key] = options[key].item.value
                lowest = numbers["least"] if key == "exact" and "least" in numbers else 0
                if not isinstance(number, int) or isinstance(number, bool) or number < lowest:
                    raise options[key].item.error(f"{key} is a whole number from {lowest}")
        elif entry.item.value is not None:
            means = entry.item.text("the meaning of a size")
        names.sizes[name] = t.SizeDecl(name, means, **numbers)


def _size(item: Item, names: Names) -> t.Tree:
    """A size, or an integer expression of sizes."""
    text = item.text("a size")
    snippet = item.snippet()
    tree = Subscripts(names, snippet).integer(parse(snippet))
    if any(not isinstance(part, (t.Num, t.Size, t.Add, t.Neg, t.Mul)) for part in tree.walk()):
        raise item.error(f"{text} is not made of sizes")
    return tree


def _shape(item: Item, names: Names) -> tuple[t.Tree, ...]:
    return tuple(_size(axis, names) for axis in item.items("a shape"))


def _indices(top: dict[str, Entry], names: Names, seen: dict[str, str]) -> None:
    found: dict[str, t.Index] = {}
    for letters, entry in _section(top, "indices").items():
        size = _size(entry.item, names)
        for name in letters.replace(",", " ").split():
            _new(entry, name, "an index", seen)
            found[name] = t.Index(name, size)
    names.indices.update(found)


def _times(top: dict[str, Entry], names: Names, seen: dict[str, str]) -> None:
    """``{t k: T}``: the letters run over 0 … T, one value more than T."""
    for letters, entry in _section(top, "times").items():
        last = _size(entry.item, names)
        for name in letters.replace(",", " ").split():
            _new(entry, name, "a time letter", seen)
            names.indices[name] = t.Index(name, t.Add((last, t.Num(Fraction(1)))))
            names.times[name] = last


def _values(options: dict[str, Entry]) -> tuple[Fraction, ...]:
    if "values" not in options:
        return ()
    found = []
    for item in options["values"].item.items("values"):
        if isinstance(item.value, bool):
            raise item.error("a value is a number")
        try:
            found.append(Fraction(item.text("a value")))
        except (ValueError, ZeroDivisionError):
            raise item.error("a value is a number") from None
    return tuple(found)


def _sign(options: dict[str, Entry]) -> str:
    sign = _text(options, "sign")
    if sign not in _SIGNS:
        raise options["sign"].item.error(f"a sign is one of {', '.join(s for s in _SIGNS if s)}")
    return _SIGNS[sign]


def _tensors(top: dict[str, Entry], names: Names, seen: dict[str, str]) -> None:
    for name, entry in _section(top, "tensors").items():
        _new(entry, name, "a tensor", seen)
        if isinstance(entry.item.value, list):
            names.tensors[name] = t.TensorDecl(name, _shape(entry.item, names))
            continue
        options = _options(entry.item, ("shape", "sign", "gradient", "values", "random", "means"), "a tensor")
        if "shape" not in options:
            raise entry.key.error("a tensor needs a shape")
        shape = _shape(options["shape"].item, names)
        names.tensors[name] = t.TensorDecl(
            name, shape, _sign(options), _flag(options, "gradient", True), _values(options), _text(options, "means")
        )


def _scalars(top: dict[str, Entry], names: Names, seen: dict[str, str]) -> None:
    for name, entry in _section(top, "scalars").items():
        _new(entry, name, "a scalar", seen)
        if isinstance(entry.item.value, dict):
            options = _options(entry.item, ("sign", "gradient", "values", "random", "means"), "a scalar")
            names.tensors[name] = t.TensorDecl(
                name, (), _sign(options), _flag(options, "gradient", True), _values(options), _text(options, "means")
            )
            continue
        sign = "" if entry.item.value is None else entry.item.text("the sign of a scalar")
        if sign not in _SIGNS:
            raise entry.item.error(f"a scalar is one of {', '.join(s for s in _SIGNS if s)}")
        names.tensors[name] = t.TensorDecl(name, (), _SIGNS[sign])


def _random(top: dict[str, Entry], names: Names) -> None:
    """The moments of the random tensors; they may hold any scalar, so all scalars are known by now."""
    found: list[tuple[str, Entry]] = []
    for section in ("tensors", "scalars"):
        for name, entry in _section(top, section).items():
            options = entry.item.value
            if isinstance(options, dict) and "random" in options:
                for key in ("sign", "values"):
                    if key in options:
                        raise options[key].key.error(f"a random tensor is known by its moments and has no {key}")
                found.append((name, options["random"]))
    random = {name for name, _ in found}
    for name, entry in found:
        options = _options(entry.item, ("mean", "variance", "symmetric"), "random")
        for key in ("mean", "variance"):
            if key not in options:
                raise entry.key.error(f"random needs {key}: {{mean: 0, variance: v}}")
        mean, variance = (_moment(options[key].item, key, names, random) for key in ("mean", "variance"))
        symmetric = _flag(options, "symmetric", False)
        if symmetric and mean != t.Num(Fraction(0)):
            raise options["symmetric"].key.error("a symmetric distribution has the mean 0 here")
        if isinstance(variance, t.Neg) or (isinstance(variance, t.Num) and variance.value < 0):
            raise options["variance"].item.error("a variance is never negative")
        names.tensors[name] = replace(names.tensors[name], random=t.Moments(mean, variance, symmetric))


def _moment(item: Item, what: str, names: Names, random: set[str]) -> t.Tree:
    """A formula of numbers, sizes and scalars that are not random."""
    from cs231n.pages.elaborate import Elaborator

    item.text(f"the {what}")
    snippet = item.snippet()
    tree = Elaborator(names, snippet).side(parse(snippet))
    if not isinstance(tree, t.Tree) or any(
        not isinstance(part, (t.Num, t.Size, t.Add, t.Neg, t.Mul, t.Div, t.Pow, t.Entry)) for part in tree.walk()
    ):
        raise item.error(f"the {what} is made of numbers, sizes and scalars")
    for part in tree.walk():
        if isinstance(part, t.Entry) and (part.name in random or part.subs):
            raise item.error(f"the {what} is a number that is not random, and {part.name} is not one")
    return tree


def _labels(top: dict[str, Entry], names: Names, seen: dict[str, str]) -> None:
    for name, entry in _section(top, "labels").items():
        _new(entry, name, "labels", seen)
        options = _options(entry.item, ("shape", "classes", "means"), "labels")
        for key in ("shape", "classes"):
            if key not in options:
                raise entry.key.error(f"labels need {key}: {{shape: [N], classes: C}}")
        shape, classes = _shape(options["shape"].item, names), _size(options["classes"].item, names)
        names.labels[name] = t.LabelDecl(name, shape, classes, _text(options, "means"))


def _outputs(top: dict[str, Entry], names: Names) -> tuple[t.Output, ...]:
    if "output" in top and "outputs" in top:
        raise top["outputs"].key.error("either output or outputs")
    if "output" in top:
        name = top["output"].item.text("output")
        upstream = f"d{name}" if f"d{name}" in names.tensors else None
        return (t.Output(name, upstream),)
    found = []
    for name, entry in _section(top, "outputs").items():
        upstream = entry.item.text("the incoming gradient")
        if upstream not in names.tensors:
            raise entry.item.error("this incoming gradient is not a declared tensor")
        found.append(t.Output(name, upstream))
    return tuple(found)


def _gradient_names(top: dict[str, Entry], names: Names) -> None:
    """A declared ``dv`` beside a declared v would have two meanings."""
    upstream = {output.upstream for output in names.outputs}
    for section in ("tensors", "scalars", "labels"):
        for name, entry in _section(top, section).items():
            if name.startswith("d") and name[1:] in names.tensors and name not in upstream:
                raise entry.key.error(f"{name} already means the gradient with respect to {name[1:]}")
