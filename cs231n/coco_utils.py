"""The captions of the course: images of COCO as features, and five sentences for each.

The course distributes features of a network that was trained on ImageNet, so no image is needed; they are HDF5 files,
and reading them needs h5py: ``pip install "cs231n[data]"``. Nothing is downloaded here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["decode_captions", "load_coco_data", "sample_coco_minibatch"]

#: Where the course's scripts put the files: seen from a notebook, and seen from this file.
FOLDERS = (Path("cs231n/datasets/coco_captioning"), Path(__file__).parent / "datasets" / "coco_captioning")
BASE_DIR = next((folder for folder in FOLDERS if folder.is_dir()), FOLDERS[0])

_PARTS = ("train", "val")


def load_coco_data(
    base_dir: str | Path = BASE_DIR,
    max_train: int | None = None,
    pca_features: bool = True,
    *,
    rng: np.random.Generator | int | None = None,
) -> dict[str, Any]:
    """Read the captions, the features of the images, the vocabulary and the addresses of the images.

    Args:
        base_dir: the folder with ``coco2014_captions.h5``, ``coco2014_vocab.json`` and the others, which the course's
            script ``get_datasets.sh`` fetches.
        max_train: keep at most so many training captions, drawn without replacement; None: all. The features stay
            complete.
        pca_features: read the features that were reduced to 512 numbers, not the 4096 of the network.
        rng: a generator or a seed, for `max_train`; NumPy's global state is never used.

    Returns:
        data: a dictionary. For each part, `train` and `val`: `train_captions` (N, 17), the numbers of the words;
            `train_image_idxs` (N,), the row of the features of each caption; `train_features` (images, 512);
            `train_urls` (images,). And the vocabulary: the list `idx_to_word` and the dictionary `word_to_idx`.

    Raises:
        FileNotFoundError: a file is missing; the message names all that are, and the folder.
        ImportError: h5py is not installed.
        ValueError: a file is damaged, or the files do not fit each other.
    """
    base_dir = Path(base_dir)
    kind = "_pca" if pca_features else ""
    features = {part: base_dir / f"{part}2014_vgg16_fc7{kind}.h5" for part in _PARTS}
    urls = {part: base_dir / f"{part}2014_urls.txt" for part in _PARTS}
    captions, vocabulary = base_dir / "coco2014_captions.h5", base_dir / "coco2014_vocab.json"
    needed = [captions, vocabulary, *features.values(), *urls.values()]
    if missing := [path.name for path in needed if not path.is_file()]:
        raise FileNotFoundError(
            f"{base_dir}: no {', '.join(missing)}. The course's script get_datasets.sh fetches coco_captioning.zip; "
            "unpack it there, or name the folder as base_dir"
        )

    wanted = [f"{part}_{name}" for part in _PARTS for name in ("captions", "image_idxs")]
    data: dict[str, Any] = _read_h5(captions, wanted)
    for part in _PARTS:
        data[f"{part}_features"] = _read_h5(features[part], ["features"])["features"]
        lines = urls[part].read_text(encoding="utf-8").splitlines()
        data[f"{part}_urls"] = np.array([line.strip() for line in lines])
    data |= _read_vocabulary(vocabulary)
    for part in _PARTS:
        _require_fit(data, part, base_dir)

    if max_train is not None:
        if max_train < 1:
            raise ValueError(f"expected max_train >= 1, got {max_train}")
        total = len(data["train_captions"])
        chosen = np.random.default_rng(rng).choice(total, min(max_train, total), replace=False)
        for name in ("train_captions", "train_image_idxs"):
            data[name] = data[name][chosen]
    return data


def decode_captions(captions: np.ndarray, idx_to_word: Sequence[str] | Mapping[int, str]) -> str | list[str]:
    """Turn numbers into words, up to and with ``<END>``, without ``<NULL>``.

    Args:
        captions: (N, T) captions, or (T,) a single one: the numbers of the words.
        idx_to_word: the word with each number, a list or a dictionary.

    Returns:
        text: a list of N texts; one text for a single caption.

    Raises:
        ValueError: `captions` has another number of axes, or a number stands for no word.
    """
    captions = np.asarray(captions)
    if captions.ndim not in (1, 2):
        raise ValueError(f"expected captions of shape (N, T) or (T,), got {captions.shape}")
    if captions.ndim == 1:
        return _decode(captions, idx_to_word)
    return [_decode(caption, idx_to_word) for caption in captions]


def sample_coco_minibatch(
    data: Mapping[str, Any],
    batch_size: int = 100,
    split: str = "train",
    *,
    rng: np.random.Generator | int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw captions, with replacement, together with the features and addresses of their images.

    Args:
        data: what `load_coco_data` returned.
        batch_size: how many captions.
        split: 'train' or 'val'.
        rng: a generator or a seed; NumPy's global state is never used.

    Returns:
        captions: (batch_size, T) the captions.
        image_features: (batch_size, D) the features of the image that each one describes.
        urls: (batch_size,) the addresses of these images.

    Raises:
        ValueError: `data` has no such part, or the part has no captions.
    """
    names = [f"{split}_{name}" for name in ("captions", "image_idxs", "features", "urls")]
    if missing := [name for name in names if name not in data]:
        raise ValueError(f"data: expected {', '.join(names)}, got no {', '.join(missing)}")
    captions, image_idxs, features, urls = (data[name] for name in names)
    if batch_size < 0 or len(captions) == 0:
        raise ValueError(f"expected batch_size >= 0 and at least 1 caption, got {batch_size} and {len(captions)}")
    chosen = np.random.default_rng(rng).integers(len(captions), size=batch_size)
    images = image_idxs[chosen]
    return captions[chosen], features[images], urls[images]


# ------------------------------------------------------------------------------------------------- files


def _read_h5(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    try:
        import h5py
    except ImportError:
        raise ImportError('HDF5 files need h5py: pip install "cs231n[data]"') from None
    try:
        with h5py.File(path, "r") as file:
            if missing := [name for name in names if name not in file]:
                raise ValueError(f"{path}: expected {', '.join(names)}, got no {', '.join(missing)}")
            return {name: np.asarray(file[name]) for name in names}
    except OSError as error:  # what h5py raises for a file that is cut off, or is something else
        raise ValueError(f"{path}: expected a complete HDF5 file ({error}); download it again") from None


def _read_vocabulary(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        words, numbers = found["idx_to_word"], found["word_to_idx"]
        fits = all(words[number] == word for word, number in numbers.items())
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected JSON with a list idx_to_word and its inverse word_to_idx: {error}"
        ) from None
    if not fits or len(words) != len(numbers):
        raise ValueError(f"{path}: expected word_to_idx to be the inverse of idx_to_word")
    return {"idx_to_word": words, "word_to_idx": numbers}


def _require_fit(data: dict[str, Any], part: str, folder: Path) -> None:
    captions, idxs = data[f"{part}_captions"], data[f"{part}_image_idxs"]
    features, urls = data[f"{part}_features"], data[f"{part}_urls"]
    if captions.ndim != 2 or idxs.shape != captions.shape[:1] or len(captions) == 0:
        raise ValueError(
            f"{folder}: expected {part}_captions (N, T) and {part}_image_idxs (N,), got {captions.shape} and "
            f"{idxs.shape}"
        )
    if features.ndim != 2 or len(urls) != len(features):
        raise ValueError(
            f"{folder}: expected a line of {part}2014_urls.txt for each of the images of {part}_features, got "
            f"{len(urls)} lines and shape {features.shape}"
        )
    for name, numbers, size in (("captions", captions, len(data["idx_to_word"])), ("image_idxs", idxs, len(features))):
        if numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() >= size:
            raise ValueError(
                f"{folder}: expected {part}_{name} as integers from 0 to {size - 1}, got dtype {numbers.dtype}, from "
                f"{numbers.min()} to {numbers.max()}"
            )


def _decode(caption: np.ndarray, idx_to_word: Sequence[str] | Mapping[int, str]) -> str:
    words = []
    for number in caption.tolist():
        if number < 0:  # a list would count from its end
            raise ValueError(f"expected numbers of words, got {number}")
        try:
            word = idx_to_word[number]
        except (LookupError, TypeError):
            raise ValueError(f"expected numbers of words, got {number}") from None
        if word != "<NULL>":
            words.append(word)
        if word == "<END>":
            break
    return " ".join(words)
