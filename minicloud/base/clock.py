"""What time it is: wall-clock time as something one is handed, so that a cloud can live on a virtual clock.

Waiting is anyio's (``anyio.sleep``, ``move_on_after``), which trio's mock clock already governs; this file is about dates.
Timestamps are kept and compared as text of one fixed width in UTC, ``2026-11-21T10:00:00.000000``.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

FORMAT = "%Y-%m-%dT%H:%M:%S.%f"


class Clock(Protocol):
    """Tells the date. Keepers: ``SystemClock``, ``VirtualClock``."""

    def now(self) -> datetime:
        """This moment, in UTC and aware of it."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class VirtualClock:
    """A date that moves with any reading of seconds: a test's own counter, or ``trio.current_time`` under a mock clock."""

    def __init__(self, start: datetime, reading: Callable[[], float]) -> None:
        self._start = start
        self._reading = reading
        self._zero: float | None = None
        self._offset = timedelta(0)

    def now(self) -> datetime:
        reading = self._reading()
        if self._zero is None:
            self._zero = reading
        return self._start + self._offset + timedelta(seconds=reading - self._zero)

    def jump(self, **by: float) -> None:
        """Move the date alone (``jump(hours=2)``), as when a laptop wakes up."""
        self._offset += timedelta(**by)


def stamp(moment: datetime) -> str:
    """A moment as the text that rows hold; sorts as time does."""
    return moment.astimezone(UTC).strftime(FORMAT)


def moment(text: str) -> datetime:
    """The moment that ``stamp`` wrote."""
    return datetime.strptime(text, FORMAT).replace(tzinfo=UTC)


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one stamp to another."""
    return (moment(later) - moment(earlier)).total_seconds()
