"""``python -m tests.conformance identity``: run a suite, print its score, fail where something failed that is not in the ledger."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.conformance import (
    ansible_suite,
    cloudinit_suite,
    go_suite,
    horizon_suite,
    ledger,
    libcloud_suite,
    placement_suites,
    schema_suite,
    sdk_suite,
    tempest_suite,
)
from tests.conformance.suites import SUITES

RUNNERS = {
    **dict.fromkeys(placement_suites.STORIES, placement_suites.run),
    "schemas": schema_suite.run,
    "sdk": sdk_suite.run,
    "clients": sdk_suite.run,
    "go": go_suite.run,
    "libcloud": libcloud_suite.run,
    "ansible": ansible_suite.run,
    "horizon": horizon_suite.run,
    "cloud-init": cloudinit_suite.run,
}
"""What runs the suites of each kind but Tempest's."""


def main() -> int:
    """The exit status: 0 when all failures are known ones."""
    parser = argparse.ArgumentParser(prog="make conformance", description="Run a suite that others wrote.")
    parser.add_argument("suite", choices=sorted(SUITES))
    parser.add_argument(
        "--tests", help="regular expression of the tests to run; the ledger's other entries are passed over"
    )
    parser.add_argument("--pre-provisioned", action="store_true", help="users made beforehand, instead of by the tests")
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument("--keep", metavar="DIR", help="keep logs and results there")
    given = parser.parse_args()
    suite = SUITES[given.suite]
    known = ledger.read(suite.ledger)
    with tempfile.TemporaryDirectory(prefix="minicloud-conformance-") as temporary:
        folder = Path(given.keep or temporary).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        if suite.runner in RUNNERS:
            outcomes = RUNNERS[suite.runner](suite, folder, tests=given.tests)
        else:
            outcomes = tempest_suite.run(
                suite,
                folder,
                tests=given.tests,
                pre_provisioned=given.pre_provisioned,
                concurrency=given.concurrency,
            )
    if given.tests:
        known = {test: reason for test, reason in known.items() if test in outcomes}
    found = ledger.score(outcomes, known)
    print(ledger.told(suite.name, found, known))
    return 0 if found.good else 1


if __name__ == "__main__":
    sys.exit(main())
