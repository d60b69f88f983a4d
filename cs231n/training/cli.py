"""The commands ``cs231n train …``."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

app = typer.Typer(no_args_is_help=True, help="Train a network of the book on real data.")

#: What the extra `train` installs: the module to look for, and its name.
_NEEDED = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}


@app.callback()
def _group() -> None:
    """Train a network of the book on real data."""


@app.command()
def digits(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many networks, from the seeds 0, 1, 2 …")] = 5,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="How often the training part is gone through.")] = 40,
    hidden: Annotated[int, typer.Option("--hidden", min=1, help="Hidden units.")] = 100,
    update_rule: Annotated[str, typer.Option("--update-rule", help="A function of cs231n.optim.")] = "sgd_momentum",
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", help="Default: one that suits the rule.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the table and curves go.")] = Path(
        "digits"
    ),
) -> None:
    """Train the two-layer network on 1797 handwritten digits, and look at the test part once.

    Writes table.md, curves.svg, results.json and split.json. Needs scikit-learn and matplotlib, the extra "train".
    """
    console, err = Console(highlight=False), Console(stderr=True, highlight=False)
    if missing := [name for module, name in _NEEDED.items() if find_spec(module) is None]:
        err.print(Text(f"This needs {' and '.join(missing)}: pip install 'cs231n[train]'"), soft_wrap=True)
        raise typer.Exit(2)
    from cs231n.training.digits import Settings, load_digits, train_digits
    from cs231n.training.report import HEADER, rows, write_report

    started = time.perf_counter()
    try:
        settings = Settings(seeds, epochs, hidden, update_rule, learning_rate)
        out.mkdir(parents=True, exist_ok=True)  # before the training, whose work would be lost
        data = load_digits()
        runs = train_digits(data, settings, verbose=True)
        written = write_report(out, data, settings, runs)
    except (ValueError, OSError) as error:
        err.print(Text(str(error)), soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        err.print("Interrupted; nothing was written.")
        raise typer.Exit(130) from None

    sizes = ", ".join(f"{len(part)} {name}" for name, part in data.split.items())
    table = Table(title=f"digits · {sizes}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in HEADER:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows(runs):
        table.add_row(*row, style="bold" if row[0] == "mean" else "")
    console.print(table)
    console.print(
        Text(f"{time.perf_counter() - started:.1f} s; written: {', '.join(map(str, written))}"), soft_wrap=True
    )
