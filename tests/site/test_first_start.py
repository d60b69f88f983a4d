"""A fresh checkout is proved on all cores before it is rendered."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest


def test_only_a_fresh_checkout_is_proved_first(root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = importlib.util.spec_from_file_location("serve_hook", root / "overrides" / "serve.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)

    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "plain.md").write_text("# Nothing to prove\n", encoding="utf-8")
    (docs / "broken.md").write_text("$$ a_i = $$\n", encoding="utf-8")  # is named where it is rendered, not here
    config = SimpleNamespace(config_file_path=str(tmp_path / "mkdocs.yml"), docs_dir=str(docs))
    with caplog.at_level(logging.INFO, logger="mkdocs.plugins.cs231n"):
        hook.on_pre_build(config)
        assert "for the first time: 2 pages" in caplog.text
        caplog.clear()
        (tmp_path / ".cache" / "verdicts").mkdir(parents=True)
        hook.on_pre_build(config)
    assert not caplog.text
