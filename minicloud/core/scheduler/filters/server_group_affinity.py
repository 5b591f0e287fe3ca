"""ServerGroupAffinityFilter: all servers of the group on one host."""

from minicloud.core.compute.server_groups import AFFINITY
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_NOTHING = Verdict(True, "no group asks for one host", for_all=True)


class ServerGroupAffinityFilter:
    """The first server of a group goes anywhere, the others to it."""

    name = "ServerGroupAffinityFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        company = request.company
        if company.policy != AFFINITY:
            return _NOTHING
        count = company.members.get(host.host, 0)
        if count or not company.members:
            return Verdict(True, f"has {count} of the group's {sum(company.members.values())} servers")
        return Verdict(False, f"has none of the group's servers, which are on {', '.join(sorted(company.members))}")
