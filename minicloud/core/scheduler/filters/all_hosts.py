"""AllHostsFilter: every host."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_GOOD = Verdict(True, "is a host")


class AllHostsFilter:
    """Nothing is asked of hosts."""

    name = "AllHostsFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        return _GOOD
