"""Drives a cloud through apache-libcloud, by steps of ``inside/libcloud_stories.py``."""

import re
from pathlib import Path

from tests.conformance import inside_suite
from tests.conformance.ledger import Outcome
from tests.conformance.subjects import PASSWORD, a_subject
from tests.conformance.suites import Suite
from tests.conformance.venvs import environment


def run(suite: Suite, folder: Path, *, tests: str | None) -> dict[str, Outcome]:
    """The outcome of each step; why one failed stands in ``libcloud.log``. All are run: each builds on those before it."""
    programs = environment(suite.runner)
    with a_subject(folder, **suite.settings) as subject:
        words = [subject.url, PASSWORD]
        found = inside_suite.run(programs, "libcloud_stories.py", words, folder / "libcloud.log")
    return {name: outcome for name, outcome in found.items() if re.search(tests or "", name)}
