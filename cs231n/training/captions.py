"""Small pictures and what can truly be said about them: a captioning task that comes with the book.

A picture holds one or two coloured shapes. Its features are what a network for images might have found on it: which
colours, shapes and coloured shapes stand near which of nine places, mixed by a fixed random projection, with noise. A
caption is a sentence of a small grammar, "a red circle left of a blue square"; two shapes can be described from either
side, so such a picture has two captions. All of it is drawn from seeds, and nothing is downloaded.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from cs231n.captioning_solver import CaptioningSolver
from cs231n.classifiers.captioning_transformer import CaptioningTransformer
from cs231n.classifiers.rnn import CaptioningRNN

__all__ = [
    "COLOURS",
    "DEFAULTS",
    "LENGTH",
    "MODELS",
    "SHAPES",
    "WORDS",
    "WORD_TO_IDX",
    "Captions",
    "Result",
    "Scene",
    "Score",
    "Settings",
    "Thing",
    "decode",
    "encode",
    "make_captions",
    "score",
    "sentences",
    "train_captions",
]

COLOURS = ("red", "green", "blue", "yellow", "purple", "brown")
SHAPES = ("circle", "square", "triangle")
#: A word's number is its place.
WORDS = ("<NULL>", "<START>", "<END>", "a", *COLOURS, *SHAPES, "left", "right", "of", "above", "below")
WORD_TO_IDX = {word: number for number, word in enumerate(WORDS)}
#: Words of the longest caption, with <START> and <END>.
LENGTH = 10

#: The pictures belong to the task, not to a run: how many there are of each part, and the seed of all of them.
PARTS, SEED = {"train": 4000, "val": 500, "test": 1000}, 231
FEATURES, NOISE = 128, 0.1
#: The nine places, and how far each one sees.
_PLACES, _WIDTH = np.array([(x, y) for y in (0.0, 0.5, 1.0) for x in (0.0, 0.5, 1.0)]), 0.35


@dataclass(frozen=True)
class Thing:
    """A coloured shape at a place of the unit square; y grows downwards, as in a picture."""

    colour: str
    shape: str
    x: float
    y: float

    @property
    def name(self) -> str:
        return f"a {self.colour} {self.shape}"


Scene = tuple[Thing, ...]


def sentences(scene: Scene) -> list[str]:
    """All that the grammar can truly say about a picture."""
    if len(scene) == 1:
        return [scene[0].name]
    one, other = scene
    return [_relation(one, other), _relation(other, one)]


def _relation(one: Thing, other: Thing) -> str:
    dx, dy = one.x - other.x, one.y - other.y
    if abs(dx) > abs(dy):
        return f"{one.name} {'left' if dx < 0 else 'right'} of {other.name}"
    return f"{one.name} {'above' if dy < 0 else 'below'} {other.name}"


def encode(sentence: str) -> list[int]:
    """The numbers of the words between <START> and <END>, filled up with <NULL>."""
    numbers = [WORD_TO_IDX[word] for word in ("<START>", *sentence.split(), "<END>")]
    return numbers + [WORD_TO_IDX["<NULL>"]] * (LENGTH - len(numbers))


def decode(caption: Sequence[int] | np.ndarray) -> str:
    """The words of a caption up to its end, without the signs for start, end and padding."""
    words = [WORDS[number] for number in caption]
    end = words.index("<END>") if "<END>" in words else len(words)
    return " ".join(word for word in words[:end] if word not in ("<START>", "<NULL>"))


# ------------------------------------------------------------------------------------------------- the data


@dataclass(frozen=True)
class Captions:
    """The arrays as `load_coco_data` names them, and the pictures of each part."""

    data: dict[str, Any]
    scenes: dict[str, list[Scene]]

    def features(self, part: str) -> np.ndarray:
        """(pictures, D) the features of a part, one row for each picture."""
        found: np.ndarray = self.data[f"{part}_features"]
        return found

    def first(self, captions: int) -> Captions:
        """The same with the first training captions only, each of another picture."""
        _, rows = np.unique(self.data["train_image_idxs"], return_index=True)
        if not 1 <= captions <= len(rows):
            raise ValueError(f"expected from 1 to {len(rows)} captions, got {captions}")
        rows = rows[:captions]
        kept = {name: self.data[name][rows] for name in ("train_captions", "train_image_idxs")}
        return Captions(self.data | kept, self.scenes | {"train": self.scenes["train"][:captions]})


def make_captions(
    parts: dict[str, int] = PARTS, *, features: int = FEATURES, noise: float = NOISE, seed: int = SEED
) -> Captions:
    """Draw the pictures, their features and their captions.

    Args:
        parts: how many pictures there are of each part.
        features: how many features a picture has.
        noise: standard deviation of the noise; the features themselves have about 1.
        seed: decides everything.

    Returns:
        captions: the data; the features of all parts are centred and scaled with those of the first part.
    """
    rng = np.random.default_rng(seed)
    projection = rng.normal(size=(len(_description((Thing("red", "circle", 0, 0),))), features))
    data: dict[str, Any] = {"idx_to_word": list(WORDS), "word_to_idx": dict(WORD_TO_IDX)}
    scenes: dict[str, list[Scene]] = {}
    mean, scale = np.zeros(features), None
    for part, number in parts.items():
        drawn = [_scene(rng) for _ in range(number)]
        seen = np.array([_description(scene) for scene in drawn]) @ projection
        if scale is None:
            mean, scale = seen.mean(axis=0), seen.std()
        seen = (seen - mean) / scale + noise * rng.normal(size=seen.shape)
        said = [(encode(text), image) for image, scene in enumerate(drawn) for text in sentences(scene)]
        scenes[part] = drawn
        data[f"{part}_features"] = seen.astype(np.float32)
        data[f"{part}_captions"] = np.array([caption for caption, _ in said])
        data[f"{part}_image_idxs"] = np.array([image for _, image in said])
        data[f"{part}_urls"] = np.array([f"{part}/{image}" for image in range(number)])
    return Captions(data, scenes)


def _scene(rng: np.random.Generator) -> Scene:
    """One thing in every fifth picture, two in the others: so far apart that one relation holds clearly."""
    single = rng.random() < 0.2
    while True:
        things = tuple(
            Thing(COLOURS[rng.integers(len(COLOURS))], SHAPES[rng.integers(len(SHAPES))], x, y)
            for x, y in rng.uniform(0.15, 0.85, size=(1 if single else 2, 2)).tolist()
        )
        if single:
            return things
        dx, dy = abs(things[0].x - things[1].x), abs(things[0].y - things[1].y)
        if max(dx, dy) > 0.35 and abs(dx - dy) > 0.15:
            return things


def _description(scene: Scene) -> np.ndarray:
    """How much of each colour, shape and coloured shape there is near each of the nine places."""
    kinds = len(COLOURS), len(SHAPES)
    found = np.zeros((sum(kinds) + math.prod(kinds), len(_PLACES)))
    for thing in scene:
        near = np.exp(-((_PLACES - (thing.x, thing.y)) ** 2).sum(axis=1) / (2 * _WIDTH**2))
        colour, shape = COLOURS.index(thing.colour), SHAPES.index(thing.shape)
        found[[colour, kinds[0] + shape, sum(kinds) + kinds[1] * colour + shape]] += near
    return found.ravel()


# ----------------------------------------------------------------------------------------------- the score


@dataclass(frozen=True)
class Score:
    """How good captions are: the share that is true of its picture, and the share of right words."""

    true: float
    words: float


def score(captions: np.ndarray, scenes: Sequence[Scene]) -> Score:
    """Compare what a model wrote with what can truly be said.

    Args:
        captions: (N, T) one caption for each picture.
        scenes: the N pictures.

    Returns:
        score: the share of captions that are, word by word, one of the sentences of their picture; and the mean share
            of right words, place by place, against the sentence of the picture that fits best.

    Raises:
        ValueError: not as many captions as pictures, or none.
    """
    if len(captions) != len(scenes) or len(scenes) == 0:
        raise ValueError(f"expected a caption for each picture, at least 1, got {len(captions)} and {len(scenes)}")
    true, words = 0, 0.0
    for caption, scene in zip(captions, scenes, strict=True):
        text, possible = decode(caption), sentences(scene)
        true += text in possible
        words += max(_right_words(text.split(), one.split()) for one in possible)
    return Score(true / len(scenes), words / len(scenes))


def _right_words(said: list[str], right: list[str]) -> float:
    agreeing = sum(a == b for a, b in zip(said, right, strict=False))
    return agreeing / max(len(said), len(right))


# --------------------------------------------------------------------------------------------- the training


@dataclass(frozen=True)
class Settings:
    """All that decides a run, besides the data."""

    model: str = "rnn"
    epochs: int = 20
    hidden: int = 128
    wordvec: int = 64
    learning_rate: float = 4e-3
    lr_decay: float = 0.9
    batch_size: int = 100
    captions: int | None = None  # the first so many only
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"model: expected one of {', '.join(MODELS)}, got {self.model!r}")
        for name in ("epochs", "hidden", "wordvec", "batch_size"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"expected {name} >= 1, got {value}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"expected a learning rate > 0, got {self.learning_rate}")


def _recurrent(settings: Settings, features: int, rng: np.random.Generator) -> CaptioningRNN:
    return CaptioningRNN(WORD_TO_IDX, features, settings.wordvec, settings.hidden, settings.model, rng=rng)


def _transformer(settings: Settings, features: int, rng: np.random.Generator) -> CaptioningTransformer:
    """Two blocks with four heads."""
    return CaptioningTransformer(WORD_TO_IDX, features, settings.wordvec, 4, 2, settings.hidden, rng=rng)


#: Settings that suit each model, found with the validation part; and what learning a few by heart changes.
DEFAULTS: dict[str, dict[str, Any]] = {
    "rnn": {"epochs": 20, "lr_decay": 0.9},
    "lstm": {"epochs": 30, "lr_decay": 0.95},
    "transformer": {"epochs": 20, "lr_decay": 0.9, "learning_rate": 2e-3},
    "by heart": {"epochs": 100, "batch_size": 25},
}
#: For each model how to make it: a function of the settings, the number of features, and a generator.
MODELS: dict[str, Callable[[Settings, int, np.random.Generator], Any]] = {
    "rnn": _recurrent,
    "lstm": _recurrent,
    "transformer": _transformer,
}


@dataclass
class Result:
    """A trained model and how good it is on each part; the losses are those of the epochs."""

    model: Any
    loss: list[float] = field(default_factory=list)  # the mean over the batches of each epoch
    val_loss: list[float] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0
    scores: dict[str, Score] = field(default_factory=dict)


def train_captions(
    captions: Captions,
    settings: Settings,
    *,
    verbose: bool = False,
    checkpoint_name: str | PathLike[str] | None = None,
) -> Result:
    """Train a model; the epoch whose parameters are kept has the smallest validation loss.

    With ``settings.captions`` the model learns these captions by heart, and the last parameters are kept. The test
    part is looked at once, at the end.

    Raises:
        ValueError: a setting makes no sense.
        KeyboardInterrupt: Ctrl-C, which the solver answers by itself, ends the whole run.
    """
    by_heart = settings.captions is not None
    if settings.captions is not None:
        captions = captions.first(settings.captions)
    weights_rng, solver_rng = np.random.default_rng(settings.seed).spawn(2)
    model = MODELS[settings.model](settings, captions.features("train").shape[1], weights_rng)
    solver = CaptioningSolver(
        model,
        captions.data,
        update_rule="adam",
        optim_config={"learning_rate": settings.learning_rate},
        lr_decay=1.0 if by_heart else settings.lr_decay,
        batch_size=settings.batch_size,
        num_epochs=settings.epochs,
        num_val_samples=0 if by_heart else None,
        keep_best=not by_heart,
        checkpoint_name=checkpoint_name,
        verbose=verbose,
        rng=solver_rng,
    )
    started = time.perf_counter()
    solver.train()
    if solver.interrupted:
        raise KeyboardInterrupt
    seconds = time.perf_counter() - started
    val_loss = solver.val_loss_history[-settings.epochs :]
    return Result(
        model=model,
        loss=np.array(solver.loss_history).reshape(settings.epochs, -1).mean(axis=1).tolist(),
        val_loss=val_loss,
        best_epoch=int(np.argmin(val_loss)) + 1 if val_loss else settings.epochs,
        seconds=seconds,
        scores={
            part: score(model.sample(captions.features(part)[: len(scenes)], LENGTH - 1), scenes)
            for part, scenes in captions.scenes.items()
        },
    )
