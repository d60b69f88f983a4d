"""Reading the course's captions, from small files of the real form."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cs231n.coco_utils import decode_captions, load_coco_data, sample_coco_minibatch

needs_h5py = pytest.mark.skipif(find_spec("h5py") is None, reason="h5py is not installed (pip install -e '.[data]')")

WORDS = ["<NULL>", "<START>", "<END>", "<UNK>", "a", "cat", "on", "mat"]
SIZES = {"train": (6, 14), "val": (4, 9)}  # images, captions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The eight files of coco_captioning.zip, with few images and features."""
    h5py = pytest.importorskip("h5py", reason="h5py is not installed (pip install -e '.[data]')")
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "coco2014_captions.h5", "w") as file:
        for part, (images, captions) in SIZES.items():
            file[f"{part}_captions"] = rng.integers(len(WORDS), size=(captions, 17)).astype(np.int32)
            file[f"{part}_image_idxs"] = rng.integers(images, size=captions).astype(np.int32)
    for part, (images, _) in SIZES.items():
        for kind, width in (("", 12), ("_pca", 5)):
            with h5py.File(tmp_path / f"{part}2014_vgg16_fc7{kind}.h5", "w") as file:
                file["features"] = rng.normal(size=(images, width)).astype(np.float32)
        lines = "".join(f"http://example.org/{part}/{number}.jpg\n" for number in range(images))
        (tmp_path / f"{part}2014_urls.txt").write_text(lines)
    vocabulary = {"idx_to_word": WORDS, "word_to_idx": {word: number for number, word in enumerate(WORDS)}}
    (tmp_path / "coco2014_vocab.json").write_text(json.dumps(vocabulary))
    return tmp_path


# ----------------------------------------------------------------------------------------------- reading


def test_all_arrays_are_there_under_the_names_of_the_course(folder: Path) -> None:
    data = load_coco_data(base_dir=folder)
    assert {name: getattr(value, "shape", len(value)) for name, value in data.items()} == {
        "train_captions": (14, 17),
        "train_image_idxs": (14,),
        "train_features": (6, 5),
        "train_urls": (6,),
        "val_captions": (9, 17),
        "val_image_idxs": (9,),
        "val_features": (4, 5),
        "val_urls": (4,),
        "idx_to_word": 8,
        "word_to_idx": 8,
    }
    assert data["train_features"].dtype == np.float32
    assert data["train_captions"].dtype.kind == "i"
    assert data["val_urls"][3] == "http://example.org/val/3.jpg"


def test_the_features_may_be_the_full_ones(folder: Path) -> None:
    assert load_coco_data(str(folder), pca_features=False)["val_features"].shape == (4, 12)


def test_few_captions_keep_their_images(folder: Path) -> None:
    whole, few = load_coco_data(folder), load_coco_data(folder, max_train=5, rng=3)
    assert few["train_captions"].shape == (5, 17)
    assert few["train_features"].shape == (6, 5)  # whole, so that the numbers still point into them
    pairs = {
        (*caption, image) for caption, image in zip(whole["train_captions"], whole["train_image_idxs"], strict=True)
    }
    for caption, image in zip(few["train_captions"], few["train_image_idxs"], strict=True):
        assert (*caption, image) in pairs
    again = load_coco_data(folder, max_train=5, rng=3)
    np.testing.assert_array_equal(few["train_captions"], again["train_captions"])
    assert len(load_coco_data(folder, max_train=1000)["train_captions"]) == 14
    with pytest.raises(ValueError, match="max_train >= 1, got 0"):
        load_coco_data(folder, max_train=0)


def test_the_model_of_the_course_trains_on_it(folder: Path) -> None:
    from cs231n.captioning_solver import CaptioningSolver
    from cs231n.classifiers.rnn import CaptioningRNN

    data = load_coco_data(folder, max_train=5, rng=0)
    model = CaptioningRNN(data["word_to_idx"], input_dim=5, wordvec_dim=4, hidden_dim=6, rng=0)
    solver = CaptioningSolver(model, data, update_rule="adam", batch_size=5, num_epochs=20, num_val_samples=4, rng=0)
    solver.train()
    assert solver.loss_history[-1] < solver.loss_history[0]
    captions, features, _ = sample_coco_minibatch(data, batch_size=2, rng=0)
    assert all(isinstance(text, str) for text in decode_captions(model.sample(features), data["idx_to_word"]))
    assert decode_captions(captions, data["idx_to_word"])[0]


# ------------------------------------------------------------------------------------------- bad files


@needs_h5py
def test_missing_files_are_named_all_at_once(tmp_path: Path, folder: Path) -> None:
    (folder / "val2014_urls.txt").unlink()
    (folder / "coco2014_captions.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"no coco2014_captions.h5, val2014_urls.txt\..*get_datasets.sh"):
        load_coco_data(folder)


def test_a_missing_folder_is_named_without_h5py(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere: no coco2014_captions.h5, coco2014_vocab.json"):
        load_coco_data(tmp_path / "nowhere")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def _replace(path: Path, **arrays: Any) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        for name, array in arrays.items():
            del file[name]
            if array is not None:
                file[name] = array


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("coco2014_captions.h5", _cut, r"coco2014_captions.h5: expected a complete HDF5 file .*download it again"),
        ("val2014_vgg16_fc7_pca.h5", lambda p: p.write_text("<html>"), "val2014_vgg16_fc7_pca.h5: expected a complete"),
        ("coco2014_captions.h5", lambda p: _replace(p, val_captions=None), "got no val_captions"),
        (
            "coco2014_captions.h5",
            lambda p: _replace(p, train_image_idxs=np.full(14, 6)),
            "train_image_idxs as integers from 0 to 5, got dtype int64, from 6 to 6",
        ),
        (
            "coco2014_captions.h5",
            lambda p: _replace(p, val_captions=np.full((9, 17), 8)),
            "val_captions as integers from 0 to 7, got dtype int64, from 8 to 8",
        ),
        (
            "coco2014_captions.h5",
            lambda p: _replace(p, train_image_idxs=np.zeros(3, int)),
            r"got \(14, 17\) and \(3,\)",
        ),
        (
            "train2014_urls.txt",
            lambda p: p.write_text("one\n"),
            r"line of train2014_urls.txt .* 1 lines .*\(6, 5\)",
        ),
        ("coco2014_vocab.json", lambda p: p.write_text("{"), "coco2014_vocab.json: expected JSON"),
        ("coco2014_vocab.json", lambda p: p.write_text('{"idx_to_word": ["a"]}'), "expected JSON.*word_to_idx"),
        (
            "coco2014_vocab.json",
            lambda p: p.write_text('{"idx_to_word": ["a", "b"], "word_to_idx": {"a": 1, "b": 0}}'),
            "expected word_to_idx to be the inverse",
        ),
    ],
)
def test_damaged_files_are_named(folder: Path, name: str, damage: Callable[[Path], Any], message: str) -> None:
    damage(folder / name)
    with pytest.raises(ValueError, match=message):
        load_coco_data(folder)


@needs_h5py
def test_without_h5py_the_message_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ImportError, match=r'h5py: pip install "cs231n\[data\]"'):
        load_coco_data(folder)


# ---------------------------------------------------------------------------------------------- batches


def small() -> dict[str, Any]:
    return {
        "train_captions": np.arange(20).reshape(5, 4),
        "train_image_idxs": np.array([2, 0, 1, 1, 2]),
        "train_features": np.arange(6.0).reshape(3, 2),
        "train_urls": np.array(["zero", "one", "two"]),
    }


def test_a_batch_keeps_captions_and_images_together() -> None:
    captions, features, urls = sample_coco_minibatch(small(), batch_size=50, split="train", rng=0)
    assert captions.shape == (50, 4) and features.shape == (50, 2) and urls.shape == (50,)
    for caption, feature, url in zip(captions, features, urls, strict=True):
        image = [2, 0, 1, 1, 2][caption[0] // 4]
        np.testing.assert_array_equal(feature, [2 * image, 2 * image + 1])
        assert url == ["zero", "one", "two"][image]
    assert len({caption[0] for caption in captions}) == 5


def test_a_batch_can_be_repeated_and_leaves_the_global_state() -> None:
    before = repr(np.random.get_state())  # noqa: NPY002
    first, again = (sample_coco_minibatch(small(), 7, rng=1)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert repr(np.random.get_state()) == before  # noqa: NPY002


def test_bad_batches_are_named() -> None:
    with pytest.raises(ValueError, match="got no val_captions, val_image_idxs"):
        sample_coco_minibatch(small(), split="val")
    with pytest.raises(ValueError, match="got -1 and 5"):
        sample_coco_minibatch(small(), -1)


# ---------------------------------------------------------------------------------------------- decoding


@pytest.mark.parametrize("words", [WORDS, dict(enumerate(WORDS))])
def test_captions_are_decoded_up_to_the_end_without_padding(words: Any) -> None:
    captions = np.array([[1, 4, 5, 2, 0, 0], [1, 4, 0, 7, 2, 5], [6, 6, 6, 6, 6, 6]])
    assert decode_captions(captions, words) == ["<START> a cat <END>", "<START> a mat <END>", "on on on on on on"]
    assert decode_captions(captions[0], words) == "<START> a cat <END>"  # a single one is a text
    assert decode_captions(captions[:0], words) == []


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        (np.array([[8]]), "numbers of words, got 8"),
        (np.array([[-1]]), "numbers of words, got -1"),
        (np.array([[1.0]]), r"numbers of words, got 1\.0"),
        (np.array(3), r"\(N, T\) or \(T,\), got \(\)"),
    ],
)
def test_what_cannot_be_decoded_is_named(captions: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_captions(captions, WORDS)
