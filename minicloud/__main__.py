"""``python -m minicloud``: the same as the command ``minicloud``."""

from minicloud.cli import main

main()
