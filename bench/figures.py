"""How figures are shown and kept: one line each, beside the floor, the peer and the target, and a row in ``history.jsonl``."""

import json
import platform
import statistics
import subprocess
import time
from pathlib import Path

from bench.peer import FIGURES

HISTORY = Path(__file__).parent / "history.jsonl"


def p50(samples: list[float]) -> float:
    """The median."""
    return statistics.median(samples)


def p99(samples: list[float]) -> float:
    """The 99th percentile (the worst of fewer than a hundred)."""
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * 0.99))]


def show(
    name: str,
    value: float,
    unit: str,
    *,
    floor: float | None = None,
    peer: str | None = None,
    target: str = "",
    more: str = "",
) -> None:
    """Print a figure and add it to the history. ``peer`` names a figure of the reference; ``target`` is e.g. ``"< 22"``."""
    parts = [f"{name}: {value:.4g} {unit}"]
    if floor:
        parts.append(f"floor {floor:.4g} ({value / floor:.1f} x)")
    if peer is not None:
        reference = FIGURES[peer]
        better = reference / value if unit in ("ms", "s", "MiB") else value / reference
        parts.append(f"OpenStack {reference:g} ({better:.0f} x better)")
    if target:
        sign, _, bound = target.partition(" ")
        reached = value < float(bound) if sign == "<" else value > float(bound)
        parts.append(f"target {target}: {'reached' if reached else 'NOT reached'}")
    if more:
        parts.append(more)
    print("  ".join(parts), flush=True)
    row = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        "python": platform.python_version(),
        "name": name,
        "value": round(value, 5),
        "unit": unit,
        "floor": floor,
        "target": target,
    }
    with HISTORY.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    )
    return found.stdout.strip()
