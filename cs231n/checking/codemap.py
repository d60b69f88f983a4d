"""Runs the functions that a page speaks of, as its ``code`` map says: which symbol goes where, what comes back.

The same map serves floats, exact symbols and the numeric gradient: a run takes the values of the page's symbols and
gives back everything that the calls returned. A call may name a method, ``module.Class.method``; its argument ``self``
is then a dictionary of the attributes that the method reads.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cs231n.pages import tree as t


@dataclass(frozen=True)
class Returned:
    """One thing a call gives back: under which name, in which call. ``key`` is unique on the page."""

    name: str
    call: int
    function: str

    @property
    def key(self) -> str:
        return f"{self.name}#{self.call}"


@dataclass
class Run:
    """What the calls returned. ``named`` holds the latest value of each name, ``values`` all of them by key."""

    named: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    drawn: dict[str, Any] = field(default_factory=dict)


class CodeMap:
    """The calls of ``page``, ready to run."""

    def __init__(self, page: t.Page) -> None:
        self.page = page
        self.calls = page.declarations.code

    def returned(self) -> list[Returned]:
        """Everything the calls return, in order."""
        return [
            Returned(name, number, call["call"].rpartition(".")[2])
            for number, call in enumerate(self.calls)
            for name in _names(call.get("returns", []))
        ]

    def symbols(self) -> list[str]:
        """The symbols of the page that the calls read."""
        found: dict[str, None] = {}
        earlier: set[str] = set()
        for call in self.calls:
            found.update(dict.fromkeys(n for n in _sources(call.get("arguments", {})) if n not in earlier))
            earlier.update(_names(call.get("returns", [])))
        return list(found)

    def drawn(self) -> list[str]:
        """The tensors of the page whose values the code draws itself."""
        return [name for call in self.calls for name in call.get("draws", {})]

    def run(self, symbols: Mapping[str, Any], *, until: set[str] | None = None) -> Run:
        """Make the calls in order, with ``symbols`` for the page's symbols.

        With ``until``, stop as soon as the things with these keys have been returned.
        """
        run = Run()
        for number, call in enumerate(self.calls):
            where = f"{self.page.id}, call {number + 1} ({call['call']})"
            arguments = {k: _argument(v, run.named, symbols, where) for k, v in call.get("arguments", {}).items()}
            result = self.function(call["call"], where)(**arguments)
            returns = call.get("returns", [])
            for name, value in _distribute(returns, result, where):
                run.named[name] = run.values[f"{name}#{number}"] = value
            for name, path in call.get("draws", {}).items():
                run.drawn[name] = _follow(run.named, path, where)
            if until is not None and until <= run.values.keys():
                break
        return run

    def function(self, path: str, where: str) -> Callable[..., Any]:
        owner_path, _, name = path.rpartition(".")
        try:
            owner = pkgutil.resolve_name(owner_path)
            found = getattr(owner, name)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"{where}: {error}") from None
        return partial(_call_method, owner, found, where) if isinstance(owner, type) else found


def _call_method(owner: type, method: Callable[..., Any], where: str, /, **arguments: Any) -> Any:
    """Call a method on an object that has the attributes the page states, and no others: ``__init__`` is not run."""
    attributes = arguments.pop("self", None)
    if not isinstance(attributes, dict):
        raise ValueError(f"{where}: expected the argument self, a dictionary of attributes, got {attributes!r}")
    instance: Any = object.__new__(owner)
    vars(instance).update(attributes)
    return method(instance, **arguments)


def _argument(source: Any, named: Mapping[str, Any], symbols: Mapping[str, Any], where: str) -> Any:
    if isinstance(source, str):
        for space in (named, symbols):
            if source in space:
                return space[source]
        raise ValueError(f"{where}: expected a symbol of the page or something returned before, got {source!r}")
    if isinstance(source, dict):
        if set(source) == {"value"}:
            return source["value"]
        return {key: _argument(value, named, symbols, where) for key, value in source.items()}
    raise ValueError(f"{where}: expected a name, {{value: …}} or a dictionary of them, got {source!r}")


def _distribute(returns: Any, result: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Pairs of name and value: a list takes a tuple apart, a mapping a dictionary."""
    if isinstance(returns, str):
        if returns != "_":
            yield returns, result
    elif isinstance(returns, dict):
        for key, name in returns.items():
            if not isinstance(result, Mapping) or key not in result:
                raise ValueError(f"{where}: expected a returned dictionary with the key {key!r}, got {result!r}")
            yield from _distribute(name, result[key], where)
    else:
        # A cache is a tuple too, but a named one: only a plain tuple holds several results.
        results = result if type(result) is tuple else (result,)
        if len(results) != len(returns):
            raise ValueError(f"{where}: expected {len(returns)} results ({returns}), got {len(results)}")
        for name, value in zip(returns, results, strict=True):
            yield from _distribute(name, value, where)


def _follow(named: Mapping[str, Any], path: str, where: str) -> Any:
    """The value at ``cache.mask``, ``cache[1]`` …."""
    first, *steps = re.findall(r"\w+", path)
    value = named[first]
    for step in steps:
        try:
            if step.isdigit():
                value = value[int(step)]
            else:
                value = value[step] if isinstance(value, Mapping) else getattr(value, step)
        except (AttributeError, LookupError, TypeError):
            raise ValueError(f"{where}: {path} is not to be found in what was returned") from None
    return value


def _names(returns: Any) -> Iterator[str]:
    if isinstance(returns, str):
        if returns != "_":
            yield returns
    else:
        for part in returns.values() if isinstance(returns, dict) else returns:
            yield from _names(part)


def _sources(arguments: Any) -> Iterator[str]:
    if isinstance(arguments, str):
        yield arguments
    elif isinstance(arguments, dict) and set(arguments) != {"value"}:
        for value in arguments.values():
            yield from _sources(value)
