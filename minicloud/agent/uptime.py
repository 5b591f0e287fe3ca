"""How long the machine under a host has been up: the line that the program ``uptime`` prints, without the program."""

import os
import time
from pathlib import Path


def uptime(proc: Path = Path("/proc/uptime")) -> str:
    """`` 12:05:01 up 3 days,  4:05,  0 users,  load average: 0.10, 0.20, 0.30``."""
    try:
        seconds = float(proc.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        # Without /proc, what is known is how long the clock that never stops has run.
        seconds = time.monotonic()
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    return f" {time.strftime('%H:%M:%S')} up {_span(int(seconds))},  0 users,  load average: {load}\n"


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    short = f"{hours:2}:{minutes:02}" if hours else f"{minutes} min"
    return f"{days} day{'s' if days != 1 else ''}, {short}" if days else short
