"""ServerGroupAntiAffinityFilter: only so many servers of the group on one host."""

from minicloud.core.compute.server_groups import ANTI_AFFINITY
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_NOTHING = Verdict(True, "no group asks for different hosts", for_all=True)


class ServerGroupAntiAffinityFilter:
    """One, or the group's rule ``max_server_per_host``."""

    name = "ServerGroupAntiAffinityFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        company = request.company
        if company.policy != ANTI_AFFINITY:
            return _NOTHING
        count = company.members.get(host.host, 0)
        return Verdict(
            count < company.most_per_host,
            f"has {count} of the {company.most_per_host} servers of the group allowed there",
        )
