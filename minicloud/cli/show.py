"""What commands print: tables and JSON on stdout, progress and errors on stderr; colours only on terminals."""

import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from minicloud.base.errors import CloudError

Tell = Callable[[str], None]
"""Takes a few words on what is being done now."""


def as_json(value: Any) -> None:
    """Print a value as JSON that people can read, too."""
    encoded = msgspec.json.encode(msgspec.to_builtins(value, enc_hook=str, str_keys=True))
    print(msgspec.json.format(encoded, indent=2).decode())


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, nothing: str) -> None:
    """Print rows under their columns; the sentence ``nothing`` where there are none."""
    if not rows:
        print(nothing)
    elif sys.stdout.isatty():
        _on_terminal(columns, rows)
    else:
        texts = [[column.upper() for column in columns], *([_cell(value) for value in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        for text in texts:
            print("  ".join(cell.ljust(width) for cell, width in zip(text, widths, strict=True)).rstrip())


def _on_terminal(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(_cell(value), style=_style(value)) for value in row))
    Console().print(made)


def lines(text: Sequence[str]) -> None:
    """Print lines as they are."""
    print("\n".join(text))


@contextmanager
def progress(first: str) -> Iterator[Tell]:
    """Show what is being done: a spinner on a terminal, else a line for each new thing."""
    if not sys.stderr.isatty():
        told = [""]

        def tell(words: str) -> None:
            if words != told[0]:
                told[0] = words
                print(f"  {words}", file=sys.stderr, flush=True)

        yield tell
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(escape(first)) as status:
        yield lambda words: status.update(escape(words))


def failure(error: BaseException) -> None:
    """Print an error as one line. A defect's trail goes to a file that the line names."""
    print(f"error: {words_of(error)}", file=sys.stderr)


def words_of(error: BaseException) -> str:
    """An error in one line: the cause, and the next step where it is known."""
    while isinstance(error, BaseExceptionGroup):
        error = _first(error)
    if isinstance(error, CloudError):
        return " ".join(error.message.split())
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    trail = "".join(traceback.format_exception(error))
    with tempfile.NamedTemporaryFile("w", prefix="minicloud-error-", suffix=".txt", delete=False) as file:
        file.write(trail)
    return f"unexpected {type(error).__name__}: {error}; this is a defect of minicloud, its trail is in {file.name}"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The member that tells most: a foreseen error before any other."""
    return next((error for error in group.exceptions if isinstance(error, CloudError)), group.exceptions[0])


def duration(seconds: float) -> str:
    """A duration as people say it: ``412 ms``, ``3.2 s``, ``5 min``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


_GOOD = frozenset({"ok", "up", "ACTIVE", "finished", "yes"})
_BAD = frozenset({"missing", "down", "ERROR", "stuck", "failed"})
_WARY = frozenset({"limited", "running", "retrying", "unwinding", "BUILD"})


def _style(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return "green" if text in _GOOD else "red" if text in _BAD else "yellow" if text in _WARY else ""
