"""The commands ``cs231n train gan`` and ``cs231n train simclr``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cs231n.training.cli import _reported


class GanLoss(StrEnum):
    """The games of cs231n.generative.gan."""

    vanilla = "vanilla"
    minimax = "minimax"
    ls = "ls"


class GanModel(StrEnum):
    """The players of cs231n.generative.gan."""

    fc = "fc"
    conv = "conv"


def gan(
    loss: Annotated[GanLoss, typer.Option("--loss", help="The game.")] = GanLoss.vanilla,
    model: Annotated[
        GanModel, typer.Option("--model", help="Affine layers, or (transposed) convolutions.")
    ] = GanModel.fc,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="How many steps each player makes.", show_default=False)
    ] = None,
    hidden: Annotated[
        int | None, typer.Option("--hidden", min=1, help="Hidden units of fc, filters of conv.", show_default=False)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Of both players, with Adam.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides weights, noise and batches.")] = 0,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where table and pictures go.")] = Path("gan"),
) -> None:
    """Train two networks against each other until one of them draws digits.

    A classifier, trained as by "digits", says what it reads in the fakes. Writes table.md, gan.svg and results.json.
    Needs scikit-learn and matplotlib, the extra "train".
    """
    with _reported("sklearn", "matplotlib"):
        from cs231n.training import gan as known

        given: dict[str, Any] = {"steps": steps, "hidden": hidden, "learning_rate": learning_rate}
        chosen = known.DEFAULTS[model.value] | {"learning_rate": known.RATES[loss.value]}
        chosen |= {name: value for name, value in given.items() if value is not None}
        settings = known.Settings(loss=loss.value, model=model.value, seed=seed, **chosen)
        out.mkdir(parents=True, exist_ok=True)
        data, mean_picture = known.load_pictures()
        with _bar(settings.steps) as show:
            result = known.train_gan(data, mean_picture, settings, show)
        written = known.write_report(out, data, mean_picture, settings, result)
        _print_table(
            f"gan · {settings.loss} · {settings.model} · {settings.steps} steps · {result.seconds:.1f} s",
            known.HEADER,
            known.rows(result),
            written,
        )


def simclr(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many networks, from the seeds 0, 1, 2 …")] = 5,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="How often the pictures are gone through.")] = 200,
    batch_size: Annotated[int, typer.Option("--batch-size", min=2, help="Pictures in a batch; views are twice.")] = 256,
    temperature: Annotated[float, typer.Option("--temperature", help="Of the contrastive loss.")] = 0.3,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="The first rate of Adam.")] = 2e-3,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where table and picture go.")] = Path("simclr"),
) -> None:
    """Train an encoder on the digits without their labels, and probe it with few labels and with all.

    Writes table.md, simclr.svg and results.json. Needs scikit-learn and matplotlib, the extra "train".
    """
    with _reported("sklearn", "matplotlib"):
        from cs231n.training import simclr as known

        settings = known.Settings(
            seeds=seeds, epochs=epochs, batch_size=batch_size, tau=temperature, learning_rate=learning_rate
        )
        out.mkdir(parents=True, exist_ok=True)
        data = known.load_pictures()
        with _bar(seeds * epochs) as show:
            runs = known.train_simclr(data, settings, show)
        written = known.write_report(out, data, settings, runs)
        title = f"simclr · {seeds} seeds · {epochs} epochs · {sum(run.seconds for run in runs):.1f} s"
        _print_table(title, known.HEADER, known.rows(runs), written)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int, str], None]]:
    """A progress bar; it is given how much is done, and a few words. Nothing at all where there is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    progress = Progress(
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task("", total=total)
        yield lambda done, text: progress.update(task, completed=done, description=text)


def _print_table(title: str, header: tuple[str, ...], found: list[tuple[str, ...]], written: list[Path]) -> None:
    console = Console(highlight=False)
    console.print(Text(title, style="bold"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in found:
        table.add_row(*row)
    console.print(table)
    console.print(Text(f"written: {', '.join(map(str, written))}"), soft_wrap=True)
