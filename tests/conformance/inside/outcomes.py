"""Runs tests inside a suite's own environment and prints ``outcome test`` for each as it comes.

``python outcomes.py PATTERN NAME...``: the tests of these modules and packages whose names the regular expression fits.
"""

import importlib
import os
import re
import sys
import unittest
from collections import Counter
from typing import Any


def tell(suite: unittest.TestSuite) -> None:
    """Run them; what tests themselves print goes nowhere. Raises RuntimeError when some were passed over in silence."""
    with open(os.devnull, "w") as quiet:
        result = _Told(unittest.runner._WritelnDecorator(quiet), True, 0)
        result.wanted = [one for one in suite if isinstance(one, unittest.TestCase)]
        wanted = suite.countTestCases()
        suite.run(result)
    if len(result.seen) < wanted:
        raise RuntimeError(f"only {len(result.seen)} of {wanted} tests were run")


def tests(names: list[str], pattern: str) -> unittest.TestSuite:
    """Those tests of modules and packages whose names a regular expression fits."""
    loader, found = unittest.TestLoader(), unittest.TestSuite()
    waiting: list[Any] = []
    for name in names:
        is_package = hasattr(importlib.import_module(name), "__path__")
        waiting.append(loader.discover(name) if is_package else loader.loadTestsFromName(name))
    waiting.reverse()
    while waiting:
        one = waiting.pop()
        if isinstance(one, unittest.TestSuite):
            waiting += reversed(list(one))
        elif re.search(pattern, one.id()):
            found.addTest(one)
    return found


class _Told(unittest.TextTestResult):
    """Prints the outcome of each test, and where logs go why it was not success. A name that comes again gets a number."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.wanted: list[unittest.TestCase] = []
        self.seen: dict[int, str] = {}
        self._names: Counter[str] = Counter()

    def _say(self, outcome: str, test: Any, why: str = "") -> None:
        """``test`` stands for all tests of a class where that could not be set up, or did not want to be."""
        whole = re.fullmatch(r"setUpClass \((.+)\)", test.id())
        for one in [test] if whole is None else self._of_class(whole[1]):
            self._say_one(outcome, one, why)

    def _of_class(self, name: str) -> list[unittest.TestCase]:
        return [one for one in self.wanted if unittest.util.strclass(type(one)) == name]

    def _say_one(self, outcome: str, test: Any, why: str) -> None:
        name = self.seen.get(id(test))
        if name is None:
            self._names[test.id()] += 1
            often = self._names[test.id()]
            name = self.seen[id(test)] = test.id() if often == 1 else f"{test.id()}#{often}"
        elif outcome == "skipped":
            return  # it has failed already: gabbi calls a test whose fixture failed skipped as well
        print(outcome, name, flush=True)
        if why:
            print(f"{name}\n{why}", file=sys.stderr)

    def addSuccess(self, test: Any) -> None:
        self._say("passed", test)

    def addFailure(self, test: Any, err: Any) -> None:
        self._say("failed", test, self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

    addError = addFailure

    def addSkip(self, test: Any, reason: str) -> None:
        self._say("skipped", test, reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self._say("passed", test)

    def stop(self) -> None:
        """A story whose fixture fails ends no other story."""


if __name__ == "__main__":
    tell(tests(sys.argv[2:], sys.argv[1]))
