"""Ledgers: what is known does not fail a run, what is new does, and what was mended is told."""

from pathlib import Path

import pytest

from tests.conformance import ledger
from tests.conformance.suites import SUITES


@pytest.mark.parametrize("name", SUITES)
def test_every_ledger_can_be_read(name: str) -> None:
    known = ledger.read(SUITES[name].ledger)
    assert all(known.values())


def test_a_failure_needs_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("# a comment\n\na.test | because  # as is said\nanother.test\n")
    with pytest.raises(ValueError, match="line 4"):
        ledger.read(path)
    path.write_text("a.test | because  # as is said\n")
    assert ledger.read(path) == {"a.test": "because"}


def test_what_is_known_what_is_new_what_is_mended() -> None:
    known = {"a": "why a", "b": "why b", "gone": "why"}
    found = ledger.score({"a": "failed", "b": "passed", "c": "failed", "d": "skipped", "e": "passed"}, known)
    assert (found.passed, found.failed, found.skipped) == (2, 2, 1)
    assert (found.unexpected, found.known, found.mended, found.unseen) == (["c"], ["a"], ["b"], ["gone"])
    assert not found.good
    told = ledger.told("x", found, known)
    assert "x: 2 of 4 pass, 1 skipped" in told
    assert "FAILED, and not in the ledger: c" in told
    assert ledger.score({"a": "failed", "b": "passed"}, known).good
    assert not ledger.score({}, {}).good
