"""``cs231n train digits``: short runs of it, what it writes, and the run that a page shows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cs231n import optim
from cs231n.cli import app
from cs231n.training.digits import PARTS, SPLIT_SEED, Run, Settings, stratified_split
from cs231n.training.report import HEADER, markdown

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "classifiers" / "fc_net.md").read_text(encoding="utf-8")

#: the whole extra `train`
needs_train = pytest.mark.skipif(
    find_spec("sklearn") is None or find_spec("matplotlib") is None,
    reason="scikit-learn and matplotlib are not installed (pip install -e '.[train]')",
)


def digits(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", "digits", *map(str, arguments)], env={"COLUMNS": "120"})


# ------------------------------------------------------------------------------------------------- a run


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    folder = tmp_path_factory.mktemp("digits") / "new" / "folder"
    return digits("--seeds", 2, "--epochs", 12, "--out", folder), folder


@needs_train
def test_a_short_run_learns_to_read(short: tuple[Result, Path]) -> None:
    result, folder = short
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in folder.iterdir()) == ["curves.svg", "results.json", "split.json", "table.md"]
    found = json.loads((folder / "results.json").read_text())
    assert found["mean_test_accuracy"] >= 0.96
    assert found["settings"] | {"seeds": 2, "epochs": 12, "learning_rate": 0.1} == found["settings"]
    assert found["examples"] == {"train": 1078, "val": 360, "test": 359}
    assert [run["seed"] for run in found["runs"]] == [0, 1]
    for run in found["runs"]:
        assert len(run["loss"]) == 12 and len(run["train_acc"]) == len(run["val_acc"]) == 13
        assert run["best_epoch"] == int(np.argmax(run["val_acc"]))
        assert (359 * run["test_acc"]) % 1 == pytest.approx(0, abs=1e-9)  # counted on the test part
    assert found["runs"][0]["loss"] != found["runs"][1]["loss"]


@needs_train
def test_the_table_is_printed_and_written(short: tuple[Result, Path]) -> None:
    result, folder = short
    lines = (folder / "table.md").read_text().splitlines()
    assert len(lines) == 2 + 2 + 1
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == list(HEADER)
    means = re.findall(r"\d+\.\d+", lines[-1])
    assert len(means) == 4 and re.search(" +".join(["mean", *means]), result.output)


@needs_train
def test_the_curves_are_a_picture_in_the_colour_of_the_text(short: tuple[Result, Path]) -> None:
    text = (short[1] / "curves.svg").read_text()
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    assert "#010203" not in text and text.count("currentColor") > 10
    words = " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))
    assert "epoch" in words and "validation" in words
    assert len(text) < 30_000


@needs_train
def test_the_split_is_written_and_complete(short: tuple[Result, Path]) -> None:
    split = json.loads((short[1] / "split.json").read_text())
    assert sorted(row for rows in split.values() for row in rows) == list(range(1797))


@needs_train
def test_a_run_can_be_repeated(short: tuple[Result, Path], tmp_path: Path) -> None:
    assert digits("--seeds", 1, "--epochs", 12, "--out", tmp_path).exit_code == 0
    again, first = (json.loads((folder / "results.json").read_text())["runs"][0] for folder in (tmp_path, short[1]))
    assert {k: v for k, v in again.items() if k != "seconds"} == {k: v for k, v in first.items() if k != "seconds"}


@needs_train
@pytest.mark.parametrize("rule", optim.__all__)
def test_every_update_rule_can_be_asked_for(rule: str, tmp_path: Path) -> None:
    result = digits("--seeds", 1, "--epochs", 3, "--hidden", 20, "--update-rule", rule, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["settings"]["update_rule"] == rule
    assert found["mean_test_accuracy"] > 0.5


@needs_train
def test_the_test_part_is_looked_at_once_when_all_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    from cs231n.solver import Solver
    from cs231n.training.digits import load_digits, train_digits

    data = load_digits()
    tests = {tuple(row) for row in data.part("test")[0]} - {tuple(row) for row in data.part("train")[0]}
    events: list[str] = []
    train, check_accuracy, init = Solver.train, Solver.check_accuracy, Solver.__init__

    def watched_init(self, model, given, **settings):  # type: ignore[no-untyped-def]
        for X in (given["X_train"], given["X_val"]):
            assert not tests & {tuple(row) for row in X}
        init(self, model, given, **settings)

    def watched_train(self):  # type: ignore[no-untyped-def]
        train(self)
        events.append("trained")

    def watched_check(self, X, *arguments, **named):  # type: ignore[no-untyped-def]
        if tuple(X[0]) in tests:
            events.append("tested")
        return check_accuracy(self, X, *arguments, **named)

    monkeypatch.setattr(Solver, "__init__", watched_init)
    monkeypatch.setattr(Solver, "train", watched_train)
    monkeypatch.setattr(Solver, "check_accuracy", watched_check)
    train_digits(data, Settings(seeds=3, epochs=1, hidden=5))
    assert events == ["trained"] * 3 + ["tested"] * 3


# ------------------------------------------------------------------------------------------------ errors


@needs_train
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--update-rule", "sdg"], "expected one of .*sgd, .* got 'sdg'"),
        (["--learning-rate", "-0.1"], "learning rate > 0, got -0.1"),
        (["--seeds", "0"], "--seeds"),
        (["--hidden", "0"], "--hidden"),
        (["--out", "a-file/below"], "a-file"),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_written(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("")
    result = digits(*arguments)
    assert result.exit_code == 2
    assert re.search(message, result.output), result.output
    assert [path.name for path in tmp_path.iterdir()] == ["a-file"]


@pytest.mark.parametrize("missing", ["sklearn", "matplotlib"])
def test_without_the_extra_the_message_names_it(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "cs231n.training.cli.find_spec", lambda name: None if name == missing else object(), raising=True
    )
    result = digits()
    assert result.exit_code == 2
    assert {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}[missing] in result.output
    assert "pip install 'cs231n[train]'" in result.output
    assert not list(tmp_path.iterdir())


@needs_train
def test_ctrl_c_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cs231n.classifiers.fc_net import TwoLayerNet

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    loss = TwoLayerNet.loss
    monkeypatch.setattr(TwoLayerNet, "loss", lambda net, X, y=None: loss(net, X) if y is None else interrupted())
    result = digits("--out", tmp_path)
    assert result.exit_code == 130
    assert "Interrupted" in result.output
    assert not list(tmp_path.iterdir())


def test_the_command_line_starts_without_the_extra_and_without_numpy() -> None:
    script = "import sys, cs231n.cli; print([m for m in ('numpy', 'sklearn', 'matplotlib') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"


# --------------------------------------------------------------------------------------------- the split


def test_a_stratified_split_keeps_the_proportions_of_every_class() -> None:
    y = np.repeat([0, 1, 2], [100, 55, 10])
    split = stratified_split(y, PARTS, seed=3)
    assert sorted(row for rows in split.values() for row in rows) == list(range(165))
    for name, share in PARTS.items():
        for label, count in ((0, 100), (1, 55), (2, 10)):
            assert abs((y[split[name]] == label).sum() - share * count) <= 1, (name, label)
    assert stratified_split(y, PARTS, seed=3) == split != stratified_split(y, PARTS, seed=4)


# ---------------------------------------------------------------------------------------------- the page


def test_the_page_shows_the_run_whose_numbers_are_in_the_book() -> None:
    """The table on the page is the one that the command wrote beside the picture, and tells the truth about it."""
    found = json.loads((ROOT / "docs" / "assets" / "figures" / "digits.json").read_text())
    runs = [Run(**run) for run in found["runs"]]
    assert markdown(runs) in PAGE
    assert found["settings"]["seeds"] == len(runs) == 5
    assert found["mean_test_accuracy"] == pytest.approx(np.mean([run.test_acc for run in runs]))
    assert found["mean_test_accuracy"] >= 0.96
    assert sum(run.seconds for run in runs) < 60
    assert "../assets/figures/digits.svg" in PAGE
    assert (ROOT / "docs" / "assets" / "figures" / "digits.svg").is_file()
    assert f"seed {SPLIT_SEED}" in PAGE


@needs_train
def test_the_run_of_the_page_can_be_repeated(tmp_path: Path) -> None:
    """Other processors round differently, so the numbers may differ by a few examples."""
    started = time.perf_counter()
    assert digits("--out", tmp_path).exit_code == 0
    assert time.perf_counter() - started < 60
    found = json.loads((tmp_path / "results.json").read_text())
    shown = json.loads((ROOT / "docs" / "assets" / "figures" / "digits.json").read_text())
    assert found["settings"] == shown["settings"] and found["examples"] == shown["examples"]
    assert found["mean_test_accuracy"] == pytest.approx(shown["mean_test_accuracy"], abs=0.01)
