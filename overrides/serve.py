"""While serving, render again only the page that was edited: an author should not wait for the whole book."""

from typing import Any

import mkdocs.commands.serve as serve


def on_serve(server: Any, config: Any, builder: Any) -> Any:
    """After the first build, build dirty, as `mkdocs serve --dirty` does. A changed `nav` needs a restart."""
    whole = serve.build

    def changed_pages(config: Any, **options: Any) -> None:
        whole(config, **{**options, "dirty": True})

    serve.build = changed_pages  # type: ignore[assignment]
    return server
