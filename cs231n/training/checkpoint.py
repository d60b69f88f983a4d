"""Keeps the state of a run in one file, without pickle: loading one cannot run code.

The state is made of dictionaries, lists, arrays, numbers, strings and None. The file is NumPy's npz: the arrays, and
one text in JSON that holds all the rest, with a note where an array belongs.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["load_state", "save_state", "write_atomically"]

#: The entry that holds the text, and the key of a note in it.
_TEXT, _ARRAY = "state", "array"


def save_state(path: str | PathLike[str], state: dict[str, Any]) -> None:
    """Write ``state``, all or nothing.

    Raises:
        ValueError: something in it is no dictionary with text keys, list, array, number, text or None.
    """
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(_taken_apart(state, "", arrays))
    buffer = io.BytesIO()
    np.savez(buffer, **dict[str, Any]({_TEXT: np.array(text)} | arrays))
    write_atomically(path, buffer.getvalue())


def load_state(path: str | PathLike[str]) -> dict[str, Any]:
    """Read what `save_state` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        text = json.loads(str(arrays.pop(_TEXT)))
        return _put_together(text, arrays)
    except FileNotFoundError:
        raise
    except Exception as error:  # np.load raises nearly anything for a file that is not its own
        raise ValueError(f"{path}: expected a checkpoint: {error}") from error


def write_atomically(path: str | PathLike[str], data: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one, never half of it."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes a file that only its owner may read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _taken_apart(value: Any, where: str, arrays: dict[str, np.ndarray]) -> Any:
    """The state with a note in place of each array; the arrays go to ``arrays``, under their path."""
    if isinstance(value, dict):
        if bad := [key for key in value if not isinstance(key, str)]:
            raise ValueError(f"{where or 'state'}: expected text as keys, got {bad[0]!r}")
        return {key: _taken_apart(entry, f"{where}/{key}", arrays) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_taken_apart(entry, f"{where}/{number}", arrays) for number, entry in enumerate(value)]
    if isinstance(value, np.ndarray | np.generic):  # a NumPy number keeps its dtype as an array without axes
        if value.dtype.hasobject:
            raise ValueError(f"{where}: expected numbers, got an array of objects")
        name = f"array{where}"
        arrays[name] = np.asarray(value)
        return {_ARRAY: name}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"{where}: expected a dictionary, list, array, number or text, got {type(value).__name__}")


def _put_together(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_put_together(entry, arrays) for entry in value]
    if isinstance(value, dict):
        if set(value) == {_ARRAY} and value[_ARRAY] in arrays:
            found = arrays[value[_ARRAY]]
            return found if found.ndim else found[()]
        return {key: _put_together(entry, arrays) for key, entry in value.items()}
    return value
