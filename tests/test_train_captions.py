"""The captioning task, ``cs231n train captions``, and the run that a page shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cs231n.cli import app
from cs231n.coco_utils import decode_captions, sample_coco_minibatch
from cs231n.training import captions as task
from cs231n.training.captions import (
    LENGTH,
    WORD_TO_IDX,
    WORDS,
    Captions,
    Settings,
    Thing,
    decode,
    encode,
    make_captions,
    score,
    sentences,
    train_captions,
)
from cs231n.training.captions_report import picture

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "classifiers" / "rnn.md").read_text(encoding="utf-8")
FIGURES = ROOT / "docs" / "assets" / "figures"
SMALL = {"train": 80, "val": 12, "test": 15}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", "captions", *map(str, arguments)], env={"COLUMNS": "120"})


@pytest.fixture(scope="module")
def small() -> Captions:
    return make_captions(SMALL)


@pytest.fixture
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command trains on the small task."""
    monkeypatch.setattr(task, "make_captions", lambda: make_captions(SMALL))


# ---------------------------------------------------------------------------------------------- the grammar


def test_what_can_be_said_of_two_things() -> None:
    circle, square = Thing("red", "circle", 0.2, 0.5), Thing("blue", "square", 0.8, 0.6)
    assert sentences((circle, square)) == [
        "a red circle left of a blue square",
        "a blue square right of a red circle",
    ]
    below = Thing("green", "triangle", 0.3, 0.9)
    assert sentences((below, circle)) == [
        "a green triangle below a red circle",
        "a red circle above a green triangle",
    ]
    assert sentences((square,)) == ["a blue square"]


def test_sentences_become_numbers_and_come_back(small: Captions) -> None:
    for scene in small.scenes["test"]:
        for text in sentences(scene):
            numbers = encode(text)
            assert len(numbers) == LENGTH and numbers[0] == WORD_TO_IDX["<START>"]
            assert decode(numbers) == decode(numbers[1:]) == text
    assert decode([3, 4, 10, 2, 4, 4]) == "a red circle"


def test_the_data_have_the_form_of_the_captions_of_the_course(small: Captions) -> None:
    data = small.data
    assert data["idx_to_word"] == list(WORDS) and data["word_to_idx"]["<NULL>"] == 0
    for part, number in SMALL.items():
        captions, images = data[f"{part}_captions"], data[f"{part}_image_idxs"]
        assert data[f"{part}_features"].shape == (number, 128) and data[f"{part}_features"].dtype == np.float32
        assert captions.shape == (len(images), LENGTH) and set(images) == set(range(number))
        for caption, image in zip(captions, images, strict=True):
            assert decode(caption) in sentences(small.scenes[part][image])
    captions, features, _ = sample_coco_minibatch(data, 3, "val", rng=0)
    assert features.shape == (3, 128) and all(text.endswith("<END>") for text in decode_captions(captions, WORDS))


def test_the_pictures_are_always_the_same_and_those_of_the_parts_differ(small: Captions) -> None:
    again = make_captions(SMALL)
    np.testing.assert_array_equal(again.data["test_features"], small.data["test_features"])
    assert again.scenes == small.scenes
    assert not set(small.scenes["train"]) & set(small.scenes["test"])
    other = make_captions(SMALL, seed=1)
    assert other.scenes["train"] != small.scenes["train"]


def test_a_relation_is_never_doubtful(small: Captions) -> None:
    singles = 0
    for scene in small.scenes["train"]:
        singles += len(scene) == 1
        if len(scene) == 2:
            dx, dy = abs(scene[0].x - scene[1].x), abs(scene[0].y - scene[1].y)
            assert max(dx, dy) > 0.35 and abs(dx - dy) > 0.15
    assert 5 <= singles <= 35


# ------------------------------------------------------------------------------------------------- the score


def test_any_true_sentence_counts_and_nothing_else() -> None:
    scene = (Thing("red", "circle", 0.2, 0.5), Thing("blue", "square", 0.8, 0.6))
    for text, true, words in (
        ("a red circle left of a blue square", 1, 1),
        ("a blue square right of a red circle", 1, 1),
        ("a red circle right of a blue square", 0, 7 / 8),
        ("a red circle", 0, 3 / 8),
        ("a red circle left of a blue square square", 0, 8 / 9),
        ("", 0, 0),
    ):
        found = score(np.array([encode(text)[1:]]), [scene])
        assert (found.true, found.words) == (true, pytest.approx(words)), text


def test_a_score_is_a_mean_over_pictures(small: Captions) -> None:
    scenes = small.scenes["val"]
    right = np.array([encode(sentences(scene)[-1]) for scene in scenes])
    assert score(right, scenes).true == score(right, scenes).words == 1
    right[0] = 0
    assert score(right, scenes).true == pytest.approx(11 / 12)
    with pytest.raises(ValueError, match="a caption for each picture, at least 1, got 11 and 12"):
        score(right[1:], scenes)


# ---------------------------------------------------------------------------------------------- the training


@pytest.mark.parametrize(
    ("model", "epochs", "hidden", "rate"),
    [("rnn", 80, 64, 8e-3), ("lstm", 60, 40, 0.015), ("transformer", 40, 32, 5e-3)],
)
def test_fifty_captions_are_learnt_by_heart(small: Captions, model: str, epochs: int, hidden: int, rate: float) -> None:
    settings = Settings(model, epochs=epochs, hidden=hidden, learning_rate=rate, batch_size=25, captions=50)
    result = train_captions(small, settings)
    assert result.loss[-1] < 0.1
    assert result.scores["train"].true == result.scores["train"].words == 1
    assert result.val_loss == []


def test_a_run_can_be_repeated_and_keeps_the_best_epoch(small: Captions) -> None:
    settings = Settings(epochs=6, hidden=20, learning_rate=0.02)
    first, again = (train_captions(small, settings) for _ in range(2))
    assert first.loss == again.loss and first.scores == again.scores
    assert len(first.loss) == len(first.val_loss) == 6
    assert first.best_epoch == int(np.argmin(first.val_loss)) + 1
    assert first.loss[-1] < first.loss[0]
    assert train_captions(small, Settings(epochs=6, hidden=20, learning_rate=0.02, seed=1)).loss != first.loss


@pytest.mark.parametrize("model", task.MODELS)
def test_every_model_of_the_table_is_made(model: str) -> None:
    net = task.MODELS[model](Settings(model, hidden=8), 128, np.random.default_rng(0))
    assert net.sample(np.zeros((2, 128), np.float32), 5).shape == (2, 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "grue"}, "model: expected one of rnn, lstm, transformer, got 'grue'"),
        ({"epochs": 0}, "epochs >= 1, got 0"),
        ({"learning_rate": -1.0}, r"learning rate > 0, got -1\.0"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**settings)  # type: ignore[arg-type]


def test_more_captions_than_there_are_is_an_error(small: Captions) -> None:
    with pytest.raises(ValueError, match="from 1 to 80 captions, got 81"):
        small.first(81)


# ----------------------------------------------------------------------------------------------- the command


def test_a_short_run_writes_everything(few_pictures: None, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    result = run("--epochs", 2, "--hidden", 10, "--checkpoints", "--out", folder)
    assert result.exit_code == 0, result.output
    names = ["model.npz", "results.json", "run_epoch_1.npz", "run_epoch_2.npz", "scenes.svg", "table.md"]
    assert sorted(path.name for path in folder.iterdir()) == names
    found = json.loads((folder / "results.json").read_text())
    assert found["settings"]["model"] == "rnn" and found["settings"]["epochs"] == 2
    assert found["pictures"] == SMALL and len(found["loss"]) == len(found["val_loss"]) == 2
    table = (folder / "table.md").read_text().splitlines()
    assert len(table) == 2 + 3
    for line in table[2:]:
        part, pictures, *shares = (cell.strip() for cell in line.strip("|").split("|"))
        assert re.search(rf"{part} +{pictures} +{' +'.join(shares)}", result.output)


def test_a_saved_model_writes_the_same_captions(few_pictures: None, small: Captions, tmp_path: Path) -> None:
    assert run("--model", "lstm", "--epochs", 1, "--hidden", 10, "--out", tmp_path).exit_code == 0
    net = task.MODELS["lstm"](Settings("lstm", hidden=10), 128, np.random.default_rng(9))
    net.load(tmp_path / "model.npz")
    found = json.loads((tmp_path / "results.json").read_text())["scores"]["test"]
    again = score(net.sample(small.features("test"), LENGTH - 1), small.scenes["test"])
    assert found == {"true": again.true, "words": again.words}


def test_ctrl_c_ends_with_its_status_and_no_report(
    few_pictures: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cs231n.classifiers.rnn.CaptioningRNN.loss", interrupted)
    # the check after Ctrl-C meets a second one: an ordinary one
    result = run("--out", tmp_path)
    assert result.exit_code == 130, result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--learning-rate", "-1"], 2), (["--model", "grue"], 2), (["--epochs", "0"], 2), (["--captions", "100"], 2)],
)
def test_what_makes_no_sense_has_status_2(
    few_pictures: None, tmp_path: Path, arguments: list[str], status: int
) -> None:
    assert run(*arguments, "--out", tmp_path).exit_code == status


# ----------------------------------------------------------------------------------------------- the picture


def test_the_picture_shows_pictures_with_what_was_said(small: Captions) -> None:
    scenes = small.scenes["test"]
    written = np.array([encode(sentences(scene)[0])[1:] for scene in scenes])
    written[9] = encode("a red circle above a red circle")[1:]
    text = picture(scenes, written)
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    frames = [rect for rect in root.iter(f"{space}rect") if rect.get("fill") == "none"]
    assert len(frames) == 7  # the first six, and the wrong one
    words = " ".join(element.text or "" for element in root.iter(f"{space}text"))
    assert words.count("✓") == 6 and words.count("✗") == 1
    things = sum(len(scene) for scene in [*scenes[:6], scenes[9]])
    drawn = sum(element.get("fill", "").startswith("#") for element in root.iter())
    assert drawn == things
    assert "currentColor" in text and len(text) < 12_000


def in_page(name: str) -> bool:
    return f"(../assets/figures/{name})" in PAGE


@pytest.mark.parametrize("model", ["rnn", "lstm"])
def test_the_page_shows_the_numbers_of_a_run_that_is_kept(model: str, table: Callable[[str], str]) -> None:
    assert in_page(f"captions-{model}.json")
    assert table(model) in PAGE


def test_the_page_of_the_transformer_does_so_too(table: Callable[[str], str]) -> None:
    page = (ROOT / "docs" / "classifiers" / "captioning_transformer.md").read_text(encoding="utf-8")
    assert "(../assets/figures/captions-transformer.json)" in page
    assert table("transformer") in page


def test_the_page_shows_the_pictures_of_that_run() -> None:
    assert in_page("captions.svg")
    found = json.loads((FIGURES / "captions-rnn.json").read_text())
    texts = (FIGURES / "captions.svg").read_text()
    assert texts.count("<text") > 8
    assert found["scores"]["test"]["true"] > 0.9


@pytest.fixture
def table() -> Callable[[str], str]:
    def lines(model: str) -> str:
        found = json.loads((FIGURES / f"captions-{model}.json").read_text())
        rows = [
            f"| {part} | {found['pictures'][part]} | {100 * s['true']:.1f} | {100 * s['words']:.1f} |\n"
            for part, s in found["scores"].items()
        ]
        return "".join(rows)

    return lines
