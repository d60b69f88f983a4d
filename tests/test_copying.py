"""Readers paste a module into an empty file: it must run there, alone, and do what its examples say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    p.relative_to(ROOT).as_posix()
    for family in ("layers", "losses", "optim")
    for p in (ROOT / "cs231n" / family).glob("*.py")
    if p.stem not in ("__init__", "transformer")  # a block is made of whole layers: those are pasted before it
)

ALONE = """
import doctest, sys, types

class Nobody:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "cs231n":
            raise ImportError("a pasted module must not need the package")

sys.meta_path.insert(0, Nobody())
text = open(sys.argv[1], encoding="utf-8").read()
pasted = types.ModuleType("pasted")
sys.modules["pasted"] = pasted
exec(compile(text, "pasted.py", "exec"), pasted.__dict__)
failed, tried = doctest.testmod(pasted)
assert tried, "the module has no example"
sys.exit(1 if failed else 0)
"""


@pytest.mark.parametrize("module", MODULES)
def test_a_module_runs_alone(module: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(ROOT / module)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
