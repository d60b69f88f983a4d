"""``cs231n train …``: short runs, what they write, and the runs that the pages show."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import re
import subprocess
import sys
import tarfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cs231n import optim
from cs231n.cli import app
from cs231n.training import cli
from cs231n.training.digits import DEFAULTS, PARTS, RATES, SPLIT_SEED, stratified_split
from cs231n.training.report import HEADER, as_markdown, rows
from cs231n.training.runs import OPTIMIZERS, Data, Run, Settings, train_runs

DOCS = Path(__file__).resolve().parent.parent / "docs"
FIGURES = DOCS / "assets" / "figures"

#: where each experiment is shown
PAGES = {
    "batchnorm": "layers/batchnorm.md",
    "dropout": "layers/dropout.md",
    "initialisation": "foundations/initialisation.md",
    "optimizers": "optim/adaptive.md",
    "saliency": "visualization/saliency.md",
    "fooling": "visualization/fooling.md",
    "class_visualization": "visualization/class_visualization.md",
    "style": "visualization/style_transfer.md",
}

#: the whole extra `train`
needs_train = pytest.mark.skipif(
    find_spec("sklearn") is None or find_spec("matplotlib") is None,
    reason="scikit-learn and matplotlib are not installed (pip install -e '.[train]')",
)


def train(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments)], env={"COLUMNS": "120"})


def digits(*arguments: object) -> Result:
    return train("digits", *arguments)


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
@pytest.mark.parametrize("rule", cli.Optimizer)
def test_every_update_rule_can_be_asked_for(rule: cli.Optimizer, tmp_path: Path) -> None:
    result = digits("--seeds", 1, "--epochs", 3, "--hidden", 20, "--optimizer", rule.value, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["settings"]["optimizer"] == rule
    assert found["settings"]["learning_rate"] == RATES["fc"][rule]
    assert found["mean_test_accuracy"] > 0.5


def test_the_command_line_knows_every_update_rule_and_a_rate_for_it() -> None:
    assert {rule.value for rule in cli.Optimizer} == set(OPTIMIZERS) == set(RATES["fc"]) == set(RATES["cnn"])
    assert sorted(OPTIMIZERS.values()) == sorted(optim.__all__)


@needs_train
@pytest.mark.parametrize(
    "options",
    [
        ["--normalization", "batchnorm", "--dropout", "0.8"],
        ["--normalization", "layernorm", "--layers", "2", "--learning-rate", "0.05"],
    ],
)
def test_normalization_and_dropout_reach_the_network(options: list[str], tmp_path: Path) -> None:
    result = digits("--seeds", 1, "--epochs", 4, *options, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "results.json").read_text())
    names = [option.removeprefix("--").replace("-", "_") for option in options[::2]]
    asked = dict(zip(names, options[1::2], strict=True))
    assert {name: str(found["settings"][name]) for name in asked} == asked
    assert found["mean_test_accuracy"] > 0.9
    assert digits("--seeds", 1, "--epochs", 4, "--out", tmp_path).exit_code == 0
    assert json.loads((tmp_path / "results.json").read_text())["runs"][0]["loss"] != found["runs"][0]["loss"]


@needs_train
def test_dropout_says_how_many_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cs231n.classifiers import fc_net

    kept: list[float] = []
    forward = fc_net.dropout_forward

    def watched(x, param):  # type: ignore[no-untyped-def]
        out, cache = forward(x, param)
        if param["mode"] == "train":
            kept.append(float(cache.mask.astype(bool).mean()))
        return out, cache

    monkeypatch.setattr(fc_net, "dropout_forward", watched)
    assert digits("--seeds", 1, "--epochs", 1, "--dropout", "0.9", "--out", tmp_path).exit_code == 0
    assert np.mean(kept) == pytest.approx(0.9, abs=0.01)


@needs_train
def test_the_convolutional_network_learns_to_read(tmp_path: Path) -> None:
    result = digits("--model", "cnn", "--seeds", 1, "--epochs", 2, "--hidden", 30, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["settings"]["model"] == "cnn"
    assert found["mean_test_accuracy"] > 0.85


@needs_train
def test_the_test_part_is_looked_at_once_when_all_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    from cs231n.solver import Solver
    from cs231n.training.digits import load_digits

    data = load_digits()
    tests, others = ({row.tobytes() for row in data.parts[name][0]} for name in ("test", "train"))
    tests -= others
    events: list[str] = []
    train, check_accuracy, init = Solver.train, Solver.check_accuracy, Solver.__init__

    def watched_init(self, model, given, **settings):  # type: ignore[no-untyped-def]
        for X in (given["X_train"], given["X_val"]):
            assert not tests & {row.tobytes() for row in X}
        init(self, model, given, **settings)

    def watched_train(self):  # type: ignore[no-untyped-def]
        train(self)
        events.append("trained")

    def watched_check(self, X, *arguments, **named):  # type: ignore[no-untyped-def]
        if X[0].tobytes() in tests:
            events.append("tested")
        return check_accuracy(self, X, *arguments, **named)

    monkeypatch.setattr(Solver, "__init__", watched_init)
    monkeypatch.setattr(Solver, "train", watched_train)
    monkeypatch.setattr(Solver, "check_accuracy", watched_check)
    settings = Settings("fc", "sgd", 0.1, seeds=3, epochs=1, hidden=5)
    train_runs(data, settings)
    assert events == ["trained"] * 3 + ["tested"] * 3
    events.clear()
    assert train_runs(data, settings, test=False)[0].test_acc is None
    assert events == ["trained"] * 3


# ------------------------------------------------------------------------------------------------ errors


@needs_train
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizer", "sdg"], "'sdg' is not one of .*'sgd'"),
        (["--learning-rate", "-0.1"], "learning rate > 0, got -0.1"),
        (["--dropout", "0"], "keep a unit, 0 < P <= 1, got 0"),
        (["--model", "cnn", "--dropout", "0.5"], "the cnn has one hidden layer"),
        (["--model", "cnn", "--normalization", "batchnorm"], "without normalization and dropout"),
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
    from cs231n.classifiers.fc_net import FullyConnectedNet

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    loss = FullyConnectedNet.loss
    monkeypatch.setattr(FullyConnectedNet, "loss", lambda net, X, y=None: loss(net, X) if y is None else interrupted())
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


# ---------------------------------------------------------------------------------------------- CIFAR-10

COUNT = 12  # images in a file; officially 10000


@pytest.fixture(scope="module")
def batches() -> dict[str, bytes]:
    """Files in the official form: each class is one picture, with noise."""
    rng = np.random.default_rng(0)
    files, pictures = {}, rng.uniform(0, 255, (10, 3072))
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        labels = rng.integers(0, 10, COUNT)
        data = np.clip(pictures[labels] + rng.normal(0, 20, (COUNT, 3072)), 0, 255).astype(np.uint8)
        files[name] = pickle.dumps({"data": data, "labels": labels.tolist()}, protocol=2)
    return files


def packed(place: Path, batches: dict[str, bytes]) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    path = place / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(folder: object) -> Path:
        raise ConnectionError("no network in this test")

    monkeypatch.setattr("cs231n.training.cifar10.fetch_CIFAR10", fetch)
    monkeypatch.setattr("cs231n.training.cifar10.DATASETS", (Path("cs231n/datasets"),))


@needs_train
def test_cifar_from_a_folder(batches: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "my-data"
    folder.mkdir()
    for name, content in batches.items():
        (folder / name).write_bytes(content)
    result = train("cifar10", "--data", folder, "--epochs", 15, "--hidden", 20, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["curves.svg", "results.json", "table.md"]
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["examples"] == {"train": 59, "val": 1, "test": 12}
    assert found["data"] == "cifar10" and found["settings"]["seeds"] == 1
    (run,) = found["runs"]
    assert run["loss"][-1] < run["loss"][0] / 2 and run["train_acc"][-1] > 0.9


@needs_train
@pytest.mark.parametrize("named", [True, False])
def test_cifar_from_the_archive(
    named: bool, batches: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    monkeypatch.chdir(tmp_path)
    archive = packed(tmp_path / "cs231n" / "datasets", batches)  # found there without being named
    data = ["--data", archive] if named else []
    result = train("cifar10", *data, "--model", "cnn", "--epochs", 1, "--hidden", 5, "--out", "out")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "results.json").read_text())["settings"]["model"] == "cnn"


@needs_train
def test_cifar_is_downloaded_where_it_is_missing(
    batches: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cs231n.training.cifar10.fetch_CIFAR10", lambda folder: packed(Path(folder), batches))
    result = train("cifar10", "--epochs", 1, "--hidden", 5, "--out", "out")
    assert result.exit_code == 0, result.output
    assert "Downloading" in result.output and "170 MB" in result.output
    assert (tmp_path / "cs231n" / "datasets" / "cifar-10-python.tar.gz").is_file()


@needs_train
def test_without_cifar_the_message_says_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    monkeypatch.chdir(tmp_path)
    result = train("cifar10")
    assert result.exit_code == 1
    assert "no network in this test" in result.output
    assert "Put cifar-10-python.tar.gz from https://www.cs.toronto.edu" in result.output
    assert "into cs231n/datasets" in result.output.replace("\\", "/") and "--data PATH" in result.output
    assert not list(tmp_path.iterdir())

    result = train("cifar10", "--data", "nowhere")
    assert result.exit_code == 1 and "expected a folder nowhere" in result.output

    (tmp_path / "page.html").write_text("<html>404</html>")
    result = train("cifar10", "--data", "page.html")
    assert result.exit_code == 1 and "expected a complete tar archive" in result.output


@needs_train
def test_the_images_of_cifar_as_the_networks_take_them(batches: dict[str, bytes], tmp_path: Path) -> None:
    from cs231n.data_utils import load_CIFAR10
    from cs231n.training.cifar10 import load_cifar10

    archive = packed(tmp_path, batches)
    data = load_cifar10(archive, lambda _: None)
    (X, y), (X_val, _), (X_test, y_test) = (data.parts[name] for name in ("train", "val", "test"))
    images, labels, test_images, test_labels = load_CIFAR10(archive)
    assert X.shape == (59, 3, 32, 32) and X.dtype == np.float32
    assert np.allclose(X.mean(axis=0), 0, atol=1e-5) and X.std() == pytest.approx(1, abs=1e-5)
    assert np.array_equal(y, labels[:59]) and np.array_equal(y_test, test_labels)
    raw, raw_test = (a.transpose(0, 3, 1, 2) for a in (images, test_images))
    same = (raw_test[0] - raw[3]) * (X_test[1] - X[4]) - (raw_test[1] - raw[4]) * (X_test[0] - X[3])
    assert np.abs(same).max() < 1e-2  # one scale for all, one mean image
    assert len(X_val) == 1


# ------------------------------------------------------------------------------------------- experiments


@needs_train
@pytest.mark.parametrize("name", cli.Experiment)
def test_a_short_experiment(name: cli.Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cs231n.training import experiments

    monkeypatch.setattr(experiments, "load_digits", few_digits)
    trained = experiments.train_runs
    monkeypatch.setattr(
        experiments, "train_runs", lambda data, settings, test: trained(data, one_seed(settings), test=test)
    )
    result = train("experiments", name.value, "--epochs", 1, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / f"{name}.json").read_text())
    shown = json.loads((FIGURES / f"{name}.json").read_text())
    assert found["epochs"] == 1
    assert [(table, cells[0][0], len(cells)) for table, cells in found["tables"].items()] == [
        (table, cells[0][0], len(cells)) for table, cells in shown["tables"].items()
    ]
    for table, cells in found["tables"].items():
        assert (tmp_path / f"{table}.md").read_text() == as_markdown(cells)
        text = (tmp_path / f"{table}.svg").read_text()
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert "#010203" not in text and "currentColor" in text


def few_digits() -> Data:
    """Twenty pictures to train on, as many for validation, and no test part: no experiment may look at it."""
    from cs231n.training.digits import load_digits

    parts = load_digits().parts
    return Data("digits", {part: (parts[part][0][:20], parts[part][1][:20]) for part in ("train", "val")})


def one_seed(settings: Settings) -> Settings:
    return dataclasses.replace(settings, seeds=1)


@needs_train
def test_an_experiment_finds_the_same_again() -> None:
    from cs231n.training.experiments import initialisation

    assert initialisation(few_digits(), 1, lambda _: None) == initialisation(few_digits(), 1, lambda _: None)


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_a_page_shows_the_tables_and_pictures_of_its_experiment(name: str, page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    found = json.loads((FIGURES / f"{name}.json").read_text())
    assert f"cs231n train experiments {name}" in text
    for table, cells in found["tables"].items():
        assert as_markdown(cells) in text, table
        assert f"../assets/figures/{table}.svg" in text
        assert (FIGURES / f"{table}.svg").is_file()


def test_every_experiment_has_its_page() -> None:
    assert {name.value for name in cli.Experiment} == set(PAGES)


def test_what_the_pages_say_of_the_experiments() -> None:
    """The numbers behind the sentences that are in no table."""
    found = {name: json.loads((FIGURES / f"{name}.json").read_text())["numbers"] for name in PAGES}

    def best(group: list[dict[str, Any]]) -> float:
        return float(np.mean([run["val_acc"][run["best_epoch"]] for run in group]))

    by_scale = found["batchnorm"]["scale"]
    without = dict(zip(by_scale["scales"], map(best, by_scale["none"]), strict=True))
    forgiving = dict(zip(by_scale["scales"], map(best, by_scale["batchnorm"]), strict=True))
    assert max(acc for scale, acc in without.items() if scale <= 0.0178) < 0.11 < without[0.0316]
    assert max(without, key=lambda scale: without[scale]) == 0.1778
    assert {scale for scale, acc in forgiving.items() if acc >= 0.97} == {0.0056, 0.01, 0.0178, 0.0316, 0.0562, 0.1}

    no_dropout, *_, quarter = found["dropout"]["noisy"]
    assert all(8 <= run["best_epoch"] <= 11 for run in no_dropout)
    fall = best(no_dropout) - np.mean([run["val_acc"][-1] for run in no_dropout])
    assert fall == pytest.approx(0.07, abs=0.005)
    assert best(quarter) - np.mean([run["val_acc"][-1] for run in quarter]) < 0.002
    bests = [best(group) for group in found["dropout"]["noisy"]]
    assert max(bests) - min(bests) < 0.01

    rates, over = found["optimizers"]["rates"], found["optimizers"]["best_val_over_rates"]
    good = {rule: [rate for rate, acc in zip(rates, accs, strict=True) if acc >= 0.9] for rule, accs in over.items()}
    assert [max(good[rule]) / min(good[rule]) for rule in ("sgd", "momentum")] == pytest.approx([10, 31.6], rel=0.01)
    assert (len(rates), len(good["rmsprop"])) == (11, 9)
    bests = [best(group) for group in found["optimizers"]["runs"].values()]
    assert max(bests) - min(bests) == pytest.approx(4 / 360, abs=1e-5)

    maps = found["saliency"]["largest of a map"]
    assert maps["score"] == pytest.approx([1.6, 5.0], abs=0.05)
    assert maps["loss"] == pytest.approx([2e-6, 4.9], rel=0.15)
    assert found["fooling"]["pairs"] == 900 and found["fooling"]["nearest_real"] == pytest.approx(2.4, abs=0.05)
    assert found["style"]["last"]["style"] < 0.03 * found["style"]["first"]["style"]


# --------------------------------------------------------------------------------------------- the pages


@pytest.mark.parametrize(
    ("model", "figure", "page", "least"),
    [
        ("fc", "digits", "classifiers/fc_net.md", 0.96),
        ("cnn", "digits-cnn", "classifiers/cnn.md", 0.98),
    ],
)
def test_a_page_shows_the_run_whose_numbers_are_in_the_book(model: str, figure: str, page: str, least: float) -> None:
    """The table on the page is the one that the command wrote beside the picture, and tells the truth about it."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = json.loads((FIGURES / f"{figure}.json").read_text())
    runs = [Run(**run) for run in found["runs"]]
    assert as_markdown([HEADER, *rows(runs)]) in text
    assert found["settings"]["model"] == model
    assert found["settings"]["seeds"] == len(runs) == 5
    assert found["settings"] | DEFAULTS[model] == found["settings"]  # those that the command has today
    assert found["settings"]["learning_rate"] == RATES[model][found["settings"]["optimizer"]]
    assert found["mean_test_accuracy"] == pytest.approx(np.mean([run.test_acc for run in runs]))
    assert found["mean_test_accuracy"] >= least
    assert max(run.seconds for run in runs) < 180
    assert f"../assets/figures/{figure}.svg" in text
    assert (FIGURES / f"{figure}.svg").is_file()
    assert f"seed {SPLIT_SEED}" in text


@needs_train
def test_the_run_of_the_page_can_be_repeated(tmp_path: Path) -> None:
    """Other processors round differently, so the numbers may differ by a few examples."""
    started = time.perf_counter()
    assert digits("--out", tmp_path).exit_code == 0
    assert time.perf_counter() - started < 60
    found = json.loads((tmp_path / "results.json").read_text())
    shown = json.loads((FIGURES / "digits.json").read_text())
    assert found["settings"] == shown["settings"] and found["examples"] == shown["examples"]
    assert found["mean_test_accuracy"] == pytest.approx(shown["mean_test_accuracy"], abs=0.01)
