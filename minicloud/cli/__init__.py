"""The command line: a file per word, ``serve`` alone knows the HTTP server, ``control`` talks to a running cloud.

May import cloud, operations, settings, base, guest, and core for reading. What is heavy is imported inside the commands, so
that ``minicloud --help`` answers at once.
"""


def main() -> None:
    """The command ``minicloud``."""
    from minicloud.cli.program import run

    run()
