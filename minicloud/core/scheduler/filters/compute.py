"""ComputeFilter: only hosts whose compute service is enabled and alive."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_GOOD = Verdict(True, "is enabled and up")
_DOWN = Verdict(False, "is down: its compute service does not report")


class ComputeFilter:
    """Disabled hosts wait for their operator, silent ones may be dead."""

    name = "ComputeFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        if not host.enabled:
            return Verdict(False, f"is disabled ({host.disabled_reason or 'no reason given'})")
        return _GOOD if host.up else _DOWN
