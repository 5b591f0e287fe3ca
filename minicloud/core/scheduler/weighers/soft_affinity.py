"""ServerGroupSoftAffinityWeigher: where most servers of the group are, first."""

from collections.abc import Sequence

from minicloud.core.compute.server_groups import SOFT_AFFINITY
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Weigher


class ServerGroupSoftAffinityWeigher(Weigher):
    """Counts only for groups of the policy soft-affinity."""

    name = "ServerGroupSoftAffinityWeigher"
    setting = "soft_affinity_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        company = request.company
        return company.members.get(host.host, 0) if company.policy == SOFT_AFFINITY else 0

    def scores(self, hosts: Sequence[HostState], request: RequestSpec) -> Sequence[float] | None:
        if request.company.policy != SOFT_AFFINITY:
            return None
        return super().scores(hosts, request)
