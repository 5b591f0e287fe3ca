"""Ledgers: each known failure with its reason. A failure that is not in it fails the run; one that passes is told.

A line is ``test | reason``; ``#`` begins a comment. What a suite skips is counted and shown, never hidden.
"""

from pathlib import Path
from typing import Literal

import msgspec

Outcome = Literal["passed", "failed", "skipped"]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How a run went, held against its ledger."""

    passed: int
    failed: int
    skipped: int
    unexpected: list[str]
    known: list[str]
    mended: list[str]
    unseen: list[str]

    @property
    def good(self) -> bool:
        """Whether nothing failed that is not in the ledger."""
        return not self.unexpected and self.passed > 0


def read(path: Path) -> dict[str, str]:
    """The known failures with their reasons. Raises ValueError for a line without a reason."""
    found: dict[str, str] = {}
    if not path.exists():
        return found
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.split("#")[0].strip()
        if not text:
            continue
        test, bar, reason = text.partition(" | ")
        if not bar or not reason.strip():
            raise ValueError(f"{path.name}, line {number}: a known failure needs its reason: test | reason")
        found[test.strip()] = reason.strip()
    return found


def score(outcomes: dict[str, Outcome], known: dict[str, str]) -> Score:
    """The outcomes held against what is known."""
    failed = {test for test, outcome in outcomes.items() if outcome == "failed"}
    counted = list(outcomes.values())
    return Score(
        passed=counted.count("passed"),
        failed=len(failed),
        skipped=counted.count("skipped"),
        unexpected=sorted(failed - known.keys()),
        known=sorted(failed & known.keys()),
        mended=sorted(test for test in known if outcomes.get(test) == "passed"),
        unseen=sorted(test for test in known if test not in outcomes),
    )


def told(name: str, found: Score, known: dict[str, str]) -> str:
    """The score in words."""
    total = found.passed + found.failed
    lines = [f"{name}: {found.passed} of {total} pass, {found.skipped} skipped by the suite itself"]
    lines += [f"  known: {test}\n         {known[test]}" for test in found.known]
    lines += [f"  FAILED, and not in the ledger: {test}" for test in found.unexpected]
    lines += [f"  passes now, take it out of the ledger: {test}" for test in found.mended]
    lines += [f"  in the ledger, but there is no such test: {test}" for test in found.unseen]
    return "\n".join(lines)
