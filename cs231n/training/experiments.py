"""The experiments that the pages show: small trainings on the digits, a picture and a table for each question.

Everything is measured on the training and the validation part; the test part is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np

from cs231n.layer_utils import affine_relu_backward, affine_relu_forward
from cs231n.layers import affine_backward, affine_forward, softmax_loss
from cs231n.training import visualization
from cs231n.training.checkpoint import write_atomically
from cs231n.training.digits import DEFAULTS, RATES, load_digits
from cs231n.training.picture import COLOURS, INK, band, picture
from cs231n.training.report import as_markdown
from cs231n.training.runs import Data, Run, Settings, network, train_runs

__all__ = ["EXPERIMENTS", "Outcome", "run"]

Show = Callable[[str], None]
Cells = list[tuple[str, ...]]

#: Adam as the course uses it: nothing else decides how much is learnt by heart.
PLAIN_ADAM: dict[str, Any] = {"optimizer": "adam", "learning_rate": 1e-3, "lr_decay": 1.0, "reg": 0.0}


class Outcome(NamedTuple):
    """What an experiment found: SVG texts, tables whose first row is the header, and all numbers."""

    pictures: dict[str, str]
    tables: dict[str, Cells]
    numbers: dict[str, Any]


def run(name: str, folder: Path, epochs: int | None = None, show: Show = lambda _: None) -> list[Path]:
    """Run one experiment, and write its pictures, its tables and its numbers; the paths written.

    Args:
        name: a key of `EXPERIMENTS`.
        folder: where the files go.
        epochs: how often the training part is gone through; None: as on the pages.
        show: gets a few words before each training.
    """
    experiment, usual = EXPERIMENTS[name]
    found = experiment(load_digits(), epochs or usual, show)
    files = {f"{drawn}.svg": svg for drawn, svg in found.pictures.items()}
    files |= {f"{table}.md": as_markdown(cells) for table, cells in found.tables.items()}
    everything = {"epochs": epochs or usual, "tables": found.tables, "numbers": found.numbers}
    files[f"{name}.json"] = json.dumps(everything, ensure_ascii=False, allow_nan=False) + "\n"
    for file, text in files.items():
        write_atomically(folder / file, text.encode())
    return [folder / file for file in files]


# ------------------------------------------------------------------------------------------ batch normalization


def batchnorm(data: Data, epochs: int, show: Show) -> Outcome:
    """A deep network with and without batch normalization, over scales of its first weights and over batch sizes."""
    deep: dict[str, Any] = {"hidden": 50, "layers": 7, "epochs": epochs} | PLAIN_ADAM
    kinds = {"batchnorm": "with", "none": "without"}

    scales = [round(10 ** (power / 4), 4) for power in range(-12, 1)]
    by_scale: dict[str, list[list[Run]]] = {kind: [] for kind in kinds}
    for scale in scales:
        for kind in kinds:
            show(f"weight scale {scale:g}, {kinds[kind]}")
            by_scale[kind].append(_trained(data, **deep, normalization=kind, weight_scale=scale))

    sizes = [5, 10, 50]
    by_size: dict[str, list[list[Run]]] = {kind: [] for kind in kinds}
    for size in sizes:
        for kind in kinds:
            show(f"batches of {size}, {kinds[kind]}")
            by_size[kind].append(_trained(data, **deep, normalization=kind, batch_size=size))

    def draw_scales(axes: Sequence[Any]) -> None:
        accuracy, loss = axes
        for kind, colour in zip(kinds, COLOURS, strict=False):
            best = [[run.best_val for run in runs] for runs in by_scale[kind]]
            last = [[run.loss[-1] for run in runs] for runs in by_scale[kind]]
            band(accuracy, scales, list(zip(*best, strict=True)), colour, kinds[kind])
            band(loss, scales, list(zip(*last, strict=True)), colour)
        accuracy.set(ylabel="validation accuracy", xscale="log", ylim=(0, 1.02))
        accuracy.legend(title="batch normalization", loc="center left")
        _in_percent(accuracy)
        loss.set(xlabel="standard deviation of the first weights", ylabel="loss in the last epoch", yscale="log")

    def draw_sizes(axes: Sequence[Any]) -> None:
        for plot, kind in zip(axes, kinds, strict=True):
            for size, runs, colour in zip(sizes, by_size[kind], COLOURS, strict=False):
                plot.plot(_mean(run.val_acc for run in runs), color=colour, lw=1.5, label=str(size))
            plot.set(title=f"{kinds[kind]} batch normalization", ylabel="validation accuracy", ylim=(0, 1.02))
            _in_percent(plot)
        axes[0].legend(title="batch size", loc="lower right")
        axes[1].set(xlabel="epoch")

    columns = [f"{word}, val %" for word in kinds.values()]
    table: Cells = [("weights", *columns)]
    for i, scale in list(enumerate(scales))[::2]:
        table.append((f"{scale:g}", *(_best(by_scale[kind][i]) for kind in kinds)))
    sizes_table: Cells = [("batch", *columns)]
    for i, size in enumerate(sizes):
        sizes_table.append((str(size), *(_best(by_size[kind][i]) for kind in kinds)))
    return Outcome(
        {
            "batchnorm-scale": picture(draw_scales, sharex=True, height=5),
            "batchnorm-batch": picture(draw_sizes, sharex=True, height=5),
        },
        {"batchnorm-scale": table, "batchnorm-batch": sizes_table},
        {
            "scale": {"scales": scales} | {kind: _plain(by_scale[kind]) for kind in kinds},
            "batch": {"sizes": sizes} | {kind: _plain(by_size[kind]) for kind in kinds},
        },
    )


# ------------------------------------------------------------------------------------------------------- dropout


def dropout(data: Data, epochs: int, show: Show) -> Outcome:
    """A network that is too large for 300 images, for several probabilities to keep a unit; then with wrong labels."""
    keeps, wrong = [1, 0.75, 0.5, 0.25], 0.2
    X, y = (array[:300] for array in data.parts["train"])
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(len(y)) < wrong, rng.integers(0, 10, len(y)), y)
    large: dict[str, Any] = {"hidden": 200, "layers": 2, "epochs": epochs, "seeds": 3} | PLAIN_ADAM
    runs: dict[str, list[list[Run]]] = {"clean": [], "noisy": []}
    for labels, given in (("clean", y), ("noisy", noisy)):
        few_data = Data(data.name, {**data.parts, "train": (X, given)})
        for keep in keeps:
            show(f"{labels} labels, keep {keep:g}")
            runs[labels].append(_trained(few_data, **large, dropout=keep))

    def draw(axes: Sequence[Any]) -> None:
        for plot, part in zip(axes, ("train_acc", "val_acc"), strict=True):
            for keep, found, colour in zip(keeps, runs["noisy"], COLOURS, strict=False):
                plot.plot(_mean(getattr(run, part) for run in found), color=colour, lw=1.5, label=f"{keep:g}")
            _in_percent(plot)
        axes[0].set(ylabel="training accuracy", ylim=(0.5, 1.01))
        axes[0].legend(title="kept", loc="lower right", ncols=2)
        axes[1].set(xlabel="epoch", ylabel="validation accuracy", ylim=(0.7, 0.95))

    table: Cells = [("kept", "train %", "val %", "wrong labels, train %", "val %", "best val %")]
    for keep, clean, found in zip(keeps, runs["clean"], runs["noisy"], strict=True):
        ends = [part for group in (clean, found) for part in _last(group)]
        table.append((f"{keep:g}", *ends, _best(found)))
    return Outcome(
        {"dropout": picture(draw, sharex=True, height=5)},
        {"dropout": table},
        {"examples": len(y), "changed_labels": int((noisy != y).sum()), "keeps": keeps}
        | {labels: _plain(groups) for labels, groups in runs.items()},
    )


# ------------------------------------------------------------------------------------------------ initialisation


def initialisation(data: Data, epochs: int, show: Show) -> Outcome:
    """How large numbers and gradients are behind each layer of a deep network, and if it learns, for four variances."""
    units, depth, seeds = 64, 10, 5
    deep: dict[str, Any] = {"hidden": units, "layers": depth, "seeds": seeds, "epochs": epochs}
    deep |= {"optimizer": "momentum", "learning_rate": 0.01, "lr_decay": 1.0, "reg": 0.0}
    variances = {"1/(3D)": 1 / 3, "1/D": 1, "2/D": 2, "4/D": 4}
    forward: dict[str, list[list[float]]] = {}
    backward: dict[str, list[list[float]]] = {}
    runs: dict[str, list[Run]] = {}
    for name, factor in variances.items():
        show(f"variance {name}")
        settings = _settings(**deep, weight_scale=(factor / units) ** 0.5)
        measured = [_mean_squares(data, settings, np.random.default_rng(seed)) for seed in range(seeds)]
        forward[name], backward[name] = [a for a, _ in measured], [b for _, b in measured]
        runs[name] = train_runs(data, settings, test=False)

    layers = range(1, depth + 1)

    def draw(axes: Sequence[Any]) -> None:
        for plot, found in zip(axes, (forward, backward), strict=True):
            for name, colour in zip(variances, COLOURS, strict=False):
                band(plot, layers, found[name], colour, name)
            plot.set(yscale="log", xticks=list(layers))
            plot.axhline(1, color=INK, lw=0.8, alpha=0.5, ls=(0, (2, 2)))
        axes[0].set(title="activations, input = 1", ylabel="mean square")
        axes[0].legend(title="variance", loc="lower left")
        axes[1].set(title=f"gradients, layer {depth} = 1", ylabel="mean square", xlabel="layer")

    table: Cells = [("variance", "layer 1", f"layer {depth}", "gradient, layer 1", "first loss", "last loss", "val %")]
    for name in variances:
        table.append(
            (
                name,
                _short(_mean(forward[name])[0]),
                _short(_mean(forward[name])[-1]),
                _short(_mean(backward[name])[0]),
                f"{mean(run.loss[0] for run in runs[name]):.3f}",
                f"{mean(run.loss[-1] for run in runs[name]):.3f}",
                f"{100 * mean(run.val_acc[-1] for run in runs[name]):.2f}",
            )
        )
    return Outcome(
        {"initialisation": picture(draw, height=5.4)},
        {"initialisation": table},
        {
            "activations": forward,
            "gradients": backward,
            "runs": {name: _plain([runs[name]])[0] for name in variances},
        },
    )


def _mean_squares(data: Data, settings: Settings, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Mean squares behind each hidden layer before training, relative to the input's; and of the gradients there."""
    net = network(settings, data, rng)
    h, y = data.parts["train"]
    own = np.mean(h**2)
    activations: list[float] = []
    gradients: list[float] = []
    caches = []
    for i in range(1, settings.layers + 1):
        h, cache = affine_relu_forward(h, net.params[f"W{i}"], net.params[f"b{i}"])
        activations.append(float(np.mean(h**2) / own))
        caches.append(cache)
    scores, top = affine_forward(h, net.params[f"W{settings.layers + 1}"], net.params[f"b{settings.layers + 1}"])
    dh = affine_backward(softmax_loss(scores, y)[1], top)[0]
    last = np.mean(dh**2)
    for cache in reversed(caches):
        gradients.insert(0, float(np.mean(dh**2) / last))
        dh = affine_relu_backward(dh, cache)[0]
    return activations, gradients


# ---------------------------------------------------------------------------------------------------- optimizers


def optimizers(data: Data, epochs: int, show: Show) -> Outcome:
    """All update rules side by side: each at its own rate over the epochs, and all over many rates."""
    rules = list(RATES["fc"])
    rates = [round(10 ** (power / 2), 6) for power in range(-8, 3)]
    usual: dict[str, list[Run]] = {}
    over: dict[str, list[float]] = {rule: [] for rule in rules}
    for rule in rules:
        show(rule)
        usual[rule] = _trained(data, optimizer=rule, learning_rate=RATES["fc"][rule], epochs=epochs, seeds=3)
        for rate in rates:
            show(f"{rule}, rate {rate:g}")
            with np.errstate(all="ignore"):  # too long steps end in infinities, and that is what is to be seen
                tried = _trained(data, optimizer=rule, learning_rate=rate, epochs=max(epochs // 4, 1), seeds=1)
            over[rule].append(tried[0].best_val)

    def draw(axes: Sequence[Any]) -> None:
        from matplotlib.ticker import MaxNLocator

        looks: list[tuple[str, Any]] = [(colour, (0, (4, 2))) for colour in COLOURS[:3]]
        looks += [(colour, "-") for colour in (COLOURS[3], *COLOURS[:2])]
        looks.append((INK, ":"))  # adamw mostly lies upon adam
        loss, accuracy = axes
        for rule, (colour, dashes) in zip(rules, looks, strict=True):
            style = {"color": colour, "ls": dashes, "lw": 1.5, "label": rule}
            loss.plot(range(1, epochs + 1), _mean(run.loss for run in usual[rule]), **style)
            accuracy.plot(rates, over[rule], **style)
        loss.set(xlabel="epoch", ylabel="loss in training", yscale="log")
        loss.xaxis.set_major_locator(MaxNLocator(integer=True))
        loss.legend(ncols=2)
        accuracy.set(xlabel="learning rate", ylabel="validation accuracy", xscale="log", ylim=(0, 1.02))
        _in_percent(accuracy)

    table: Cells = [("rule", "rate", "first loss", "last loss", "val %", "good rates")]
    for rule in rules:
        good = sum(val >= 0.9 for val in over[rule])
        table.append(
            (
                rule,
                f"{RATES['fc'][rule]:g}",
                f"{mean(run.loss[0] for run in usual[rule]):.3f}",
                f"{mean(run.loss[-1] for run in usual[rule]):.3f}",
                f"{100 * mean(run.best_val for run in usual[rule]):.2f}",
                str(good),
            )
        )
    return Outcome(
        {"optimizers": picture(draw, height=6)},
        {"optimizers": table},
        {"rates": rates, "best_val_over_rates": over, "runs": {rule: _plain([usual[rule]])[0] for rule in rules}},
    )


# ------------------------------------------------------------------------------------------------ visualization


def saliency(data: Data, epochs: int, show: Show) -> Outcome:
    """Maps of the score and of the loss, and what erasing the most or the least salient pixels does."""
    return Outcome(*visualization.saliency(data, epochs, show))


def fooling(data: Data, epochs: int, show: Show) -> Outcome:
    """How many steps, and how far, until a digit is taken for another one."""
    return Outcome(*visualization.fooling(data, epochs, show))


def class_visualization(data: Data, epochs: int, show: Show) -> Outcome:
    """The digits that the network likes best: with and without a penalty, jitter and blur, and with the wrong sign."""
    return Outcome(*visualization.class_visualization(data, epochs, show))


def style(data: Data, epochs: int, show: Show) -> Outcome:
    """A photograph in the manner of another; an epoch is five steps, and the digits are not used."""
    return Outcome(*visualization.style(data, epochs, show))


#: The experiments, and how many epochs each takes on its page.
EXPERIMENTS: dict[str, tuple[Callable[[Data, int, Show], Outcome], int]] = {
    "batchnorm": (batchnorm, 10),
    "dropout": (dropout, 60),
    "initialisation": (initialisation, 10),
    "optimizers": (optimizers, 20),
    "saliency": (saliency, 10),
    "fooling": (fooling, 10),
    "class_visualization": (class_visualization, 10),
    "style": (style, 20),
}


# ------------------------------------------------------------------------------------------------ what they share


def _settings(**given: Any) -> Settings:
    every: dict[str, Any] = {"model": "fc", "seeds": 2}
    return Settings(**(every | DEFAULTS["fc"] | given))


def _trained(data: Data, **given: Any) -> list[Run]:
    return train_runs(data, _settings(**given), test=False)


def _mean(series: Any) -> list[float]:
    return [mean(column) for column in zip(*series, strict=True)]


def _best(runs: Sequence[Run]) -> str:
    """Accuracy on the validation part at the best epoch, in percent."""
    return f"{100 * mean(run.best_val for run in runs):.1f}"


def _last(runs: Sequence[Run]) -> tuple[str, str]:
    """Accuracy on the training and the validation part after the last epoch, in percent."""
    return f"{100 * mean(run.train_acc[-1] for run in runs):.1f}", f"{100 * mean(run.val_acc[-1] for run in runs):.1f}"


def _plain(runs: Any) -> list[list[dict[str, Any]]]:
    """Runs as data, with six digits; how long they took depends on the machine, and is left out."""
    return [
        [
            {"seed": run.seed, "best_epoch": run.best_epoch}
            | {name: [float(f"{x:.6g}") for x in getattr(run, name)] for name in ("loss", "train_acc", "val_acc")}
            for run in group
        ]
        for group in runs
    ]


def _in_percent(axes: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _short(number: float) -> str:
    """Two digits, and a power of ten as a page prints it."""
    if 0.01 <= number < 1000:
        return f"{float(f'{number:.1e}'):g}"
    digits, power = f"{number:.1e}".split("e")
    return f"{digits}·10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
