"""The command ``cs231n``, also started by ``python -m cs231n``."""

import sys


def main() -> None:
    """Run the command; Ctrl-C ends it quietly, even while it is still importing."""
    try:
        from cs231n.cli import app

        app(prog_name="cs231n")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
