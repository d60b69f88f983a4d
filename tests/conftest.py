"""What every test may ask for, and which tests this machine cannot run."""

from __future__ import annotations

import os
import re
import shutil
import zlib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that differ from test to test and never from run to run."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))


@pytest.fixture
def upstream(rng: np.random.Generator) -> Callable[..., np.ndarray]:
    """``upstream(3, 4)``: a random incoming gradient. A constant one hides whole terms (batchnorm's dx is then 0)."""

    def draw(*shape: int, dtype: type = np.float64) -> np.ndarray:
        return rng.normal(size=shape).astype(dtype)

    return draw


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep each file in one process, the items of a page (it is verified once), and the site (it is built once).

    This is what xdist's marks of groups are for, which pytest 9.2 ignores.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByPage(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            page = re.match(r"tests/test_(?:derivations|code)\.py::\w+\[(\S+\.md)\b", nodeid)
            if page:
                return page[1]
            return "tests/site" if nodeid.startswith("tests/site/") else super()._split_scope(nodeid)

    return ByPage(config, log)


def chromium() -> str | None:
    """The path of an installed Chromium or Chrome."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    return None


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser that the tests marked ``browser`` start; those tests are skipped where there is none."""
    path = chromium()
    assert path is not None, "no Chromium on PATH"
    return path


@cache
def _reason_to_skip(marker: str) -> str | None:
    if marker == "torch" and find_spec("torch") is None:
        return "PyTorch is not installed (pip install -e '.[torch]')"
    if marker == "browser" and os.environ.get("CI"):
        return None  # CI must not pass without having looked at the site
    if marker == "jax" and not all(map(find_spec, ("jax", "flax", "optax"))):
        return "JAX, Flax and Optax are not installed (pip install -e '.[jax]')"
    if marker == "browser" and find_spec("playwright") is None:
        return "playwright is not installed (pip install -e '.[test]')"
    if marker == "browser" and chromium() is None:
        return "no Chromium on PATH (Debian: apt-get install chromium)"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in ("torch", "jax", "browser"):
            if item.get_closest_marker(marker) and (reason := _reason_to_skip(marker)):
                item.add_marker(pytest.mark.skip(reason=reason))
