"""A fresh checkout is proved on all cores before it is rendered; while serving only edited pages are rendered again."""

import logging
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import mkdocs.commands.serve as serve

log = logging.getLogger("mkdocs.plugins.cs231n")


def on_pre_build(config: Any) -> None:
    """Where nothing was proved yet, fill the cache of verdicts; the pages find them there one after the other."""
    root = Path(config.config_file_path).parent
    if (root / ".cache" / "verdicts").is_dir():
        return
    from cs231n.checking.verify import check_cached

    # the longest pages first, so that no worker is left with one at the end
    paths = sorted(Path(config.docs_dir).rglob("*.md"), key=lambda path: path.stat().st_size, reverse=True)
    log.info("Proving the book for the first time: %d pages", len(paths))
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for number, done in enumerate(as_completed([pool.submit(check_cached, path) for path in paths]), 1):
            done.exception()  # a page that cannot be read is named where it is rendered
            if number % 10 == 0:
                log.info("Proved %d of %d pages", number, len(paths))


def on_serve(server: Any, config: Any, builder: Any) -> Any:
    """After the first build, build dirty, as `mkdocs serve --dirty` does. A changed `nav` needs a restart."""
    whole = serve.build

    def changed_pages(config: Any, **options: Any) -> None:
        whole(config, **{**options, "dirty": True})

    serve.build = changed_pages  # type: ignore[assignment]
    return server
