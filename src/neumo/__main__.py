"""``python -m neumo``."""

from neumo.cli import main

main()
