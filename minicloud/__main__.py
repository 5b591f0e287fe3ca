"""``python -m minicloud`` is the command ``minicloud``."""

from minicloud.cli import main

main()
