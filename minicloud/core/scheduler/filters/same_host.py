"""SameHostFilter: only where one of the servers of the hint ``same_host`` lives."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_NOTHING = Verdict(True, "no servers are to be near", for_all=True)


class SameHostFilter:
    """The hint is a server's id, or a list of them; any of them is enough."""

    name = "SameHostFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        homes = request.company.same
        if homes is None:
            return _NOTHING
        there = [server for server, home in homes.items() if home == host.host]
        if there:
            return Verdict(True, f"has server {there[0]}, to be near")
        return Verdict(False, f"has none of the {len(homes)} servers to be near")
