"""ServerGroupSoftAffinityWeigher: where most servers of the group are, first."""

from minicloud.core.compute.server_groups import SOFT_AFFINITY
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec


class ServerGroupSoftAffinityWeigher:
    """Counts only for groups of the policy soft-affinity."""

    name = "ServerGroupSoftAffinityWeigher"
    setting = "soft_affinity_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        company = request.company
        return company.members.get(host.host, 0) if company.policy == SOFT_AFFINITY else 0
