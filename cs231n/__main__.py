"""``python -m cs231n`` is the same as the command ``cs231n``."""

from cs231n.cli import main

if __name__ == "__main__":
    main()
