"""Runs in the environment of osc-placement: its own functional tests, unmodified, out of the wheel, against a server on a port.

They start a placement of their own in a fixture; the two modules of that package are stood in for here by ones that empty the
server on the port and say where it is.
"""

import sys
import types
import urllib.request

import fixtures
import outcomes


def main(port: int, pattern: str) -> None:
    """Run the tests whose names fit the pattern."""
    base = f"http://127.0.0.1:{port}"

    class PlacementFixture(fixtures.Fixture):
        """An empty placement, and an administrator's token."""

        endpoint = base
        token = "admin"

        def setUp(self) -> None:
            super().setUp()
            urllib.request.urlopen(f"{base}/__reset").read()

    name = ""
    for part in ("placement", "tests", "functional", "fixtures"):
        name = f"{name}.{part}".strip(".")
        sys.modules[name] = types.ModuleType(name)
    within = sys.modules[name]
    within.capture = types.SimpleNamespace(Logging=fixtures.FakeLogger)  # type: ignore[attr-defined]
    within.placement = types.SimpleNamespace(PlacementFixture=PlacementFixture)  # type: ignore[attr-defined]
    outcomes.tell(outcomes.tests(["osc_placement.tests.functional"], pattern))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
