"""The command line, as ``neumo`` and as ``python -m neumo``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it in one line, also while it is still being loaded."""
    try:
        from neumo.cli import main as run

        run()
    except KeyboardInterrupt:
        print("neumo: stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
