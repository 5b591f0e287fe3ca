"""DifferentHostFilter: not where the servers of the hint ``different_host`` live."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_GOOD = Verdict(True, "none of the servers to keep away from lives there")
_NOTHING = Verdict(True, "no servers are to be kept away from", for_all=True)


class DifferentHostFilter:
    """The hint is a server's id, or a list of them."""

    name = "DifferentHostFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        homes = request.company.different
        if homes is None:
            return _NOTHING
        there = [server for server, home in homes.items() if home == host.host]
        return Verdict(False, f"has server {there[0]}, to be kept away from") if there else _GOOD
