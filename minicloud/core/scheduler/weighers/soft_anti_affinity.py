"""ServerGroupSoftAntiAffinityWeigher: where fewest servers of the group are, first."""

from minicloud.core.compute.server_groups import SOFT_ANTI_AFFINITY
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec


class ServerGroupSoftAntiAffinityWeigher:
    """Counts only for groups of the policy soft-anti-affinity."""

    name = "ServerGroupSoftAntiAffinityWeigher"
    setting = "soft_anti_affinity_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        company = request.company
        return -company.members.get(host.host, 0) if company.policy == SOFT_ANTI_AFFINITY else 0
