"""The command ``cs231n train captions``."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


class CaptionModel(StrEnum):
    """The networks; cs231n.training.captions knows how to make them."""

    rnn = "rnn"
    lstm = "lstm"
    transformer = "transformer"


def captions(
    model: Annotated[CaptionModel, typer.Option("--model", help="The network.")] = CaptionModel.rnn,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="How often the captions are gone through.", show_default=False),
    ] = None,
    hidden: Annotated[int | None, typer.Option("--hidden", min=1, help="Hidden units.", show_default=False)] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Default: one that suits the model.", show_default=False)
    ] = None,
    few: Annotated[
        int | None,
        typer.Option("--captions", min=1, help="Learn so many captions by heart, to try.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides the first weights and the batches.")] = 0,
    checkpoints: Annotated[bool, typer.Option("--checkpoints", help="Also write one after each epoch.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where table and pictures go.")] = Path(
        "captions"
    ),
) -> None:
    """Train a network to describe pictures of coloured shapes, and look at the test part once.

    Writes table.md, scenes.svg, results.json and model.npz. Needs nothing but the package itself.
    """
    console, err = Console(highlight=False), Console(stderr=True, highlight=False)
    from cs231n.training.captions import DEFAULTS, Settings, make_captions, train_captions
    from cs231n.training.captions_report import HEADER, rows, write_report

    given = {"epochs": epochs, "hidden": hidden, "learning_rate": learning_rate, "captions": few}
    started = time.perf_counter()
    try:
        chosen = DEFAULTS[model.value] | ({} if few is None else DEFAULTS["by heart"])
        chosen |= {name: value for name, value in given.items() if value is not None}
        settings = Settings(model=model.value, seed=seed, **chosen)
        out.mkdir(parents=True, exist_ok=True)  # before the training, whose work would be lost
        data = make_captions()
        result = train_captions(data, settings, verbose=True, checkpoint_name=out / "run" if checkpoints else None)
        written = write_report(out, data, settings, result)
    except (ValueError, OSError) as error:
        err.print(Text(str(error)), soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        err.print("Interrupted; no report was written.")
        raise typer.Exit(130) from None

    title = f"captions · {settings.model} · {len(result.loss)} epochs · loss {result.loss[-1]:.4f}"
    console.print(Text(title, style="bold"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for name in HEADER:
        table.add_column(name, justify="left" if name == "part" else "right", no_wrap=True)
    for row in rows(data if few is None else data.first(few), result):
        table.add_row(*row)
    console.print(table)
    console.print(
        Text(f"{time.perf_counter() - started:.1f} s; written: {', '.join(map(str, written))}"), soft_wrap=True
    )
