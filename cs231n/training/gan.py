"""Trains a generative adversarial network on the digits, and asks a classifier what it reads in the fakes.

The pictures are those of ``cs231n train digits``. The generator learns from the training part. The judge is the network
that ``cs231n train digits`` trains on the same part; the test part shows what it makes of real digits.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from cs231n.fast_layers import adam_fast
from cs231n.generative.gan import (
    ConvDiscriminator,
    ConvGenerator,
    Discriminator,
    Generator,
    discriminator_step,
    generator_step,
)
from cs231n.solver import Solver
from cs231n.training import digits
from cs231n.training.checkpoint import write_atomically
from cs231n.training.picture import COLOURS, picture
from cs231n.training.report import as_markdown
from cs231n.training.runs import Data, network
from cs231n.training.runs import Settings as RunSettings

__all__ = ["DEFAULTS", "HEADER", "RATES", "Result", "Settings", "load_pictures", "rows", "train_gan", "write_report"]

#: For each model what suits it.
DEFAULTS: dict[str, dict[str, Any]] = {
    "fc": {"hidden": 128, "steps": 10000},
    "conv": {"hidden": 16, "steps": 4000},
}
#: What suits each game.
RATES = {"vanilla": 2e-3, "minimax": 2e-3, "ls": 1e-3}
#: The judge is sure of what it reads above this probability.
SURE = 0.9
#: A class counts as covered if it has this share of what the judge is sure of.
COVERED = 0.02
#: So many fakes are judged, and so many steps are averaged for the curves.
JUDGED, WINDOW = 1000, 100

HEADER = ("pictures", "sure", "classes", "rarest", "commonest", "nearest")


@dataclass(frozen=True)
class Settings:
    """All that decides a run. ``hidden`` counts units of fc, and filters of conv."""

    loss: str = "vanilla"
    model: str = "fc"
    hidden: int = 128
    steps: int = 10000
    batch_size: int = 64
    noise: int = 16
    learning_rate: float = 2e-3
    last_rate: float = 0.05  # times the learning rate: what it has fallen to at the end
    beta1: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("loss", ("vanilla", "minimax", "ls")), ("model", tuple(DEFAULTS))):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        for name in ("hidden", "steps", "batch_size", "noise"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"expected {name} >= 1, got {value}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"expected a learning rate > 0, got {self.learning_rate}")


@dataclass
class Result:
    """What a run found. ``verdicts`` has one entry for each row of the table."""

    generator: Any
    discriminator_loss: list[float] = field(default_factory=list)
    generator_loss: list[float] = field(default_factory=list)
    seconds: float = 0.0
    samples: np.ndarray | None = None
    verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)


def load_pictures() -> tuple[Data, np.ndarray]:
    """The digits as ``cs231n train digits`` sees them, and the mean picture that was taken off there."""
    from sklearn import datasets

    data = digits.load_digits()
    assert data.split is not None
    raw = datasets.load_digits().data[data.split["train"]] / 16
    return data, raw.mean(axis=0).reshape(1, 8, 8)


def train_gan(
    data: Data, mean_picture: np.ndarray, settings: Settings, show: Callable[[int, str], None] = lambda *_: None
) -> Result:
    """Train both players in turn, one step each, and judge the fakes.

    Args:
        data: the digits.
        mean_picture: (1, 8, 8) what was taken off them.
        settings: all that decides the run.
        show: gets the number of finished steps, and a few words.

    Returns:
        result: the trained generator, the losses, and what the judge says.
    """
    started = time.perf_counter()
    weights, batches, noise = np.random.default_rng(settings.seed).spawn(3)
    real = 2 * (data.parts["train"][0] + mean_picture).astype(np.float32) - 1
    generator, discriminator = _players(settings, weights)
    if settings.model == "fc":
        real = real.reshape(len(real), -1)
    result = Result(generator)
    memory: dict[tuple[int, str], dict[str, Any]] = {}

    def step(player: int, net: Any, grads: dict[str, np.ndarray], rate: float) -> None:
        for name, grad in grads.items():
            config = memory.get((player, name), {"beta1": settings.beta1}) | {"learning_rate": rate}
            net.params[name], memory[player, name] = adam_fast(net.params[name], grad, config)

    def draw(rng: np.random.Generator, number: int) -> np.ndarray:
        return rng.standard_normal((number, settings.noise)).astype(np.float32)

    losses = []
    for i in range(settings.steps):
        rate = settings.learning_rate * (1 - (1 - settings.last_rate) * i / settings.steps)
        shown = real[batches.integers(len(real), size=settings.batch_size)]
        caught, grads = discriminator_step(
            generator, discriminator, shown, draw(noise, settings.batch_size), settings.loss
        )
        step(0, discriminator, grads, rate)
        believed, grads = generator_step(generator, discriminator, draw(noise, settings.batch_size), settings.loss)
        step(1, generator, grads, rate)
        losses.append((float(caught), float(believed)))
        if (i + 1) % WINDOW == 0 or i + 1 == settings.steps:
            one, other = (mean(column) for column in zip(*losses, strict=True))
            result.discriminator_loss.append(one)
            result.generator_loss.append(other)
            losses = []
            show(i + 1, f"discriminator {one:.3f}, generator {other:.3f}")
    result.seconds = time.perf_counter() - started

    show(settings.steps, "the judge learns to read")
    judge = _judge(data)
    fakes, _ = generator.forward(draw(np.random.default_rng(settings.seed + 1), JUDGED))
    result.samples = fakes.reshape(-1, 8, 8)
    test = 2 * (data.parts["test"][0] + mean_picture) - 1
    train = real.reshape(-1, 8, 8)
    mixed = np.random.default_rng(0).permuted(train.reshape(len(train), -1), axis=0)  # each pixel from another picture
    for name, pictures in (("fakes", result.samples), ("real, test part", test), ("pixels shuffled", mixed)):
        result.verdicts[name] = _verdict(judge, pictures.reshape(-1, 8, 8), mean_picture, train)
    return result


def _players(settings: Settings, rng: np.random.Generator) -> tuple[Any, Any]:
    if settings.model == "fc":
        return (
            Generator(settings.noise, settings.hidden, 64, dtype=np.float32, rng=rng),
            Discriminator(64, settings.hidden, dtype=np.float32, rng=rng),
        )
    return (
        ConvGenerator(settings.noise, settings.hidden, 8, dtype=np.float32, rng=rng),
        ConvDiscriminator(settings.hidden, 8, dtype=np.float32, rng=rng),
    )


def _judge(data: Data) -> Any:
    """The network of ``cs231n train digits``, with the seed 0."""
    settings = RunSettings(
        model="fc", optimizer="momentum", learning_rate=digits.RATES["fc"]["momentum"], **digits.DEFAULTS["fc"]
    )
    weights, batches = np.random.default_rng(0).spawn(2)
    judge = network(settings, data, weights)
    parts = {f"{x}_{part}": array for part in ("train", "val") for x, array in zip("Xy", data.parts[part], strict=True)}
    solver = Solver(
        judge,
        parts,
        update_rule="sgd_momentum",
        optim_config={"learning_rate": settings.learning_rate},
        lr_decay=settings.lr_decay,
        batch_size=settings.batch_size,
        num_epochs=settings.epochs,
        verbose=False,
        rng=batches,
    )
    solver.train()
    if solver.interrupted:
        raise KeyboardInterrupt
    return judge


def _verdict(judge: Any, pictures: np.ndarray, mean_picture: np.ndarray, train: np.ndarray) -> dict[str, Any]:
    """How many pictures the judge reads for sure, as what, and how far the nearest training picture is."""
    scores = judge.loss(((pictures + 1) / 2 - mean_picture[0]).astype(np.float64))
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    sure = probabilities.max(axis=1) > SURE
    counts = np.bincount(probabilities[sure].argmax(axis=1), minlength=10)
    flat, known = pictures.reshape(len(pictures), -1), train.reshape(len(train), -1)
    squares = (flat**2).sum(axis=1)[:, None] - 2 * flat @ known.T + (known**2).sum(axis=1)
    return {
        "sure": float(sure.mean()),
        "shares": [round(float(share), 4) for share in counts / max(counts.sum(), 1)],
        "nearest": float(np.sqrt(np.median(np.maximum(squares, 0).min(axis=1)))),
    }


# ---------------------------------------------------------------------------------------------------- the report


def rows(result: Result) -> list[tuple[str, ...]]:
    """The table: one row for the fakes, one for real digits, one for pixels that do not belong together."""
    found: list[tuple[str, ...]] = []
    for name, verdict in result.verdicts.items():
        shares = verdict["shares"]
        found.append(
            (
                name,
                f"{100 * verdict['sure']:.1f}\N{NO-BREAK SPACE}%",
                str(sum(share >= COVERED for share in shares)),
                f"{shares.index(min(shares))}: {100 * min(shares):.1f}\N{NO-BREAK SPACE}%",
                f"{shares.index(max(shares))}: {100 * max(shares):.1f}\N{NO-BREAK SPACE}%",
                f"{verdict['nearest']:.2f}",
            )
        )
    return found


def write_report(folder: Path, data: Data, mean_picture: np.ndarray, settings: Settings, result: Result) -> list[Path]:
    """Write ``table.md``, ``gan.svg`` and ``results.json``; the paths written."""
    results = {
        "settings": dataclasses.asdict(settings),
        "examples": data.sizes["train"],
        "seconds": result.seconds,
        "verdicts": result.verdicts,
        "discriminator_loss": [float(f"{x:.6g}") for x in result.discriminator_loss],
        "generator_loss": [float(f"{x:.6g}") for x in result.generator_loss],
    }
    files = {
        "table.md": as_markdown([HEADER, *rows(result)]),
        "gan.svg": _drawn(data, mean_picture, settings, result),
        "results.json": json.dumps(results, indent=1) + "\n",
    }
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in files]


def _drawn(data: Data, mean_picture: np.ndarray, settings: Settings, result: Result) -> str:
    """The first fakes, as they come, as many real digits, and both losses."""
    fakes = result.samples
    assert fakes is not None
    real = (2 * (data.parts["train"][0] + mean_picture) - 1)[:70].reshape(-1, 8, 8)

    def draw(axes: Sequence[Any]) -> None:
        for plot, pictures, title in ((axes[0], fakes, "fakes"), (axes[1], real, "real")):
            plot.imshow(_grid(pictures[:70], 14), cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
            plot.set_title(title)
            plot.set_axis_off()
        steps = [WINDOW * (i + 1) for i in range(len(result.generator_loss))]
        axes[2].plot(steps, result.discriminator_loss, color=COLOURS[0], lw=1.5, label="discriminator")
        axes[2].plot(steps, result.generator_loss, color=COLOURS[1], lw=1.5, label="generator")
        if settings.loss == "vanilla":
            axes[2].axhline(math.log(4), color=COLOURS[4], lw=0.8, ls=(0, (2, 2)))
        axes[2].set(xlabel="step", ylabel="loss")
        axes[2].legend()

    return picture(draw, 3, height=7)


def _grid(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Pictures (N, H, W) side by side, with a white line between them."""
    framed = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    _, H, W = framed.shape
    lines = len(pictures) // columns
    return framed.reshape(lines, columns, H, W).transpose(0, 2, 1, 3).reshape(lines * H, columns * W)
