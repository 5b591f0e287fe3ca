"""ComputeFilter: disabled and silent hosts are refused, with the reason."""

from minicloud.core.scheduler.filters.compute import ComputeFilter
from tests.support.scheduling import a_request, a_state


def test_only_hosts_that_are_enabled_and_up_pass() -> None:
    passes = ComputeFilter().passes
    assert passes(a_state(), a_request()).passed
    assert passes(a_state(enabled=False, disabled_reason="new disks"), a_request()).why == "is disabled (new disks)"
    assert passes(a_state(enabled=False), a_request()).why == "is disabled (no reason given)"
    down = passes(a_state(up=False), a_request())
    assert (down.passed, down.why) == (False, "is down: its compute service does not report")
