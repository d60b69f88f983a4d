"""The commands ``cs231n train …``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # the command line starts without NumPy
    from cs231n.training.runs import Data, Settings

app = typer.Typer(no_args_is_help=True, help="Train a network of the book on real data.")

#: What the extra `train` installs: the module to look for, and its name.
_NEEDED = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}


class Model(StrEnum):
    """The networks."""

    fc = "fc"
    cnn = "cnn"


class Optimizer(StrEnum):
    """The update rules; cs231n.training.runs knows their functions."""

    sgd = "sgd"
    momentum = "momentum"
    nesterov = "nesterov"
    adagrad = "adagrad"
    rmsprop = "rmsprop"
    adam = "adam"
    adamw = "adamw"


class Normalization(StrEnum):
    """What stands behind each affine layer but the last."""

    none = "none"
    batchnorm = "batchnorm"
    layernorm = "layernorm"


class Experiment(StrEnum):
    """The functions of cs231n.training.experiments."""

    batchnorm = "batchnorm"
    dropout = "dropout"
    initialisation = "initialisation"
    optimizers = "optimizers"
    saliency = "saliency"
    fooling = "fooling"
    class_visualization = "class_visualization"
    style = "style"


ModelOption = Annotated[
    Model, typer.Option("--model", help="Affine layers, or a convolution and two affine layers (ThreeLayerConvNet).")
]
OptimizerOption = Annotated[Optimizer, typer.Option("--optimizer", help="The update rule.")]
NormalizationOption = Annotated[Normalization, typer.Option("--normalization", help="In the hidden layers of fc.")]
DropoutOption = Annotated[
    float,
    typer.Option("--dropout", metavar="P", help="Probability to KEEP a hidden unit of fc, as in the course; 1: none."),
]
SeedsOption = Annotated[int, typer.Option("--seeds", min=1, help="How many networks, from the seeds 0, 1, 2 …")]
EpochsOption = Annotated[
    int | None,
    typer.Option("--epochs", min=1, help="How often the training part is gone through.", show_default=False),
]
HiddenOption = Annotated[
    int | None, typer.Option("--hidden", min=1, help="Units of a hidden layer.", show_default=False)
]
LayersOption = Annotated[int, typer.Option("--layers", min=1, help="Hidden layers of fc.")]
RateOption = Annotated[
    float | None,
    typer.Option("--learning-rate", help="Default: one that suits model and rule.", show_default=False),
]
OutOption = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the table and curves go.")]


@app.callback()
def _group() -> None:
    """Train a network of the book on real data."""


@app.command()
def digits(
    model: ModelOption = Model.fc,
    optimizer: OptimizerOption = Optimizer.momentum,
    normalization: NormalizationOption = Normalization.none,
    dropout: DropoutOption = 1.0,
    seeds: SeedsOption = 5,
    epochs: EpochsOption = None,
    hidden: HiddenOption = None,
    layers: LayersOption = 1,
    learning_rate: RateOption = None,
    out: OutOption = Path("digits"),
) -> None:
    """Train on 1797 handwritten digits, and look at the test part once.

    Writes table.md, curves.svg, results.json and split.json. Needs scikit-learn and matplotlib, the extra "train".
    """
    with _reported("sklearn", "matplotlib"):
        from cs231n.training import digits as data

        given = _given(model, optimizer, normalization, dropout, seeds, epochs, hidden, layers, learning_rate)
        _train(_settings(data.DEFAULTS, data.RATES, given), lambda _: data.load_digits(), out)


@app.command()
def cifar10(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="The official archive cifar-10-python.tar.gz, or the folder that it holds. "
            "Default: cs231n/datasets, where it is downloaded to if it is missing.",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = Model.fc,
    optimizer: OptimizerOption = Optimizer.adam,
    normalization: NormalizationOption = Normalization.none,
    dropout: DropoutOption = 1.0,
    seeds: SeedsOption = 1,
    epochs: EpochsOption = None,
    hidden: HiddenOption = None,
    layers: LayersOption = 1,
    learning_rate: RateOption = None,
    out: OutOption = Path("cifar10"),
) -> None:
    """Train on CIFAR-10, and look at the test part once.

    Writes table.md, curves.svg and results.json. Needs matplotlib, the extra "train", and pooch for a download, the
    extra "data". Exits with status 1 if there are no data.
    """
    with _reported("matplotlib"):
        from cs231n.training.cifar10 import DEFAULTS, RATES, load_cifar10

        given = _given(model, optimizer, normalization, dropout, seeds, epochs, hidden, layers, learning_rate)
        settings = _settings(DEFAULTS, RATES, given)

        def load(tell: Callable[[str], None]) -> Data:
            try:
                return load_cifar10(data, tell)
            except (ValueError, OSError) as error:
                tell(str(error))
                raise typer.Exit(1) from None

        _train(settings, load, out)


@app.command()
def experiments(
    name: Annotated[Experiment, typer.Argument(help="Which one.", show_default=False)],
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Fewer than on the pages: to try.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where tables and pictures go.")] = Path(
        "experiments"
    ),
) -> None:
    """Run one of the experiments that the pages show, on the digits; the test part is not looked at.

    Writes pictures NAME….svg, tables NAME….md and all numbers as NAME.json. Needs the extra "train".
    """
    with _reported("sklearn", "matplotlib"):
        from cs231n.training import experiments as known

        started = time.perf_counter()
        err = Console(stderr=True, highlight=False)
        out.mkdir(parents=True, exist_ok=True)
        with err.status(f"{name}: …") as status:
            written = known.run(name, out, epochs, lambda text: status.update(f"{name}: {text}"))
        console = Console(highlight=False)
        console.print(
            Text(f"{time.perf_counter() - started:.1f} s; written: {', '.join(map(str, written))}"), soft_wrap=True
        )


# ---------------------------------------------------------------------------------------------- what they share


@contextmanager
def _reported(*modules: str) -> Iterator[None]:
    """What goes wrong ends in one line and an exit status, and so does Ctrl-C."""
    err = Console(stderr=True, highlight=False)
    if missing := [_NEEDED[module] for module in modules if find_spec(module) is None]:
        err.print(Text(f"This needs {' and '.join(missing)}: pip install 'cs231n[train]'"), soft_wrap=True)
        raise typer.Exit(2)
    try:
        yield
    except (ValueError, OSError) as error:
        err.print(Text(str(error)), soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        err.print("Interrupted; nothing was written.")
        raise typer.Exit(130) from None


def _given(
    model: Model,
    optimizer: Optimizer,
    normalization: Normalization,
    dropout: float,
    seeds: int,
    epochs: int | None,
    hidden: int | None,
    layers: int,
    learning_rate: float | None,
) -> dict[str, Any]:
    """The settings of the command line, as plain values, without those that are left open."""
    given = {
        "model": model.value,
        "optimizer": optimizer.value,
        "normalization": normalization.value,
        "dropout": dropout,
        "seeds": seeds,
        "epochs": epochs,
        "hidden": hidden,
        "layers": layers,
        "learning_rate": learning_rate,
    }
    return {name: value for name, value in given.items() if value is not None}


def _settings(
    defaults: dict[str, dict[str, Any]], rates: dict[str, dict[str, float]], given: dict[str, Any]
) -> Settings:
    from cs231n.training.runs import Settings

    rate = rates[given["model"]][given["optimizer"]]
    return Settings(**({"learning_rate": rate} | defaults[given["model"]] | given))


def _train(settings: Settings, load: Callable[[Callable[[str], None]], Data], out: Path) -> None:
    from cs231n.training.report import HEADER, rows, write_report
    from cs231n.training.runs import train_runs

    console, err = Console(highlight=False), Console(stderr=True, highlight=False)
    data = load(lambda text: err.print(Text(text), soft_wrap=True))
    started = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)  # before the training, whose work would be lost
    runs = train_runs(data, settings, verbose=True)
    written = write_report(out, data, settings, runs)

    sizes = ", ".join(f"{size} {name}" for name, size in data.sizes.items())
    title = f"{data.name} · {settings.model} · {settings.optimizer} · {sizes}"
    console.print(Text(title, style="bold"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for name in HEADER:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows(runs):
        table.add_row(*row, style="bold" if row[0] == "mean" else "")
    console.print(table)
    console.print(
        Text(f"{time.perf_counter() - started:.1f} s; written: {', '.join(map(str, written))}"), soft_wrap=True
    )
