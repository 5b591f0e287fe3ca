"""BuildFailureWeigher: hosts on which builds failed since the last that worked, last."""

from collections.abc import Sequence

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Weigher


class BuildFailureWeigher(Weigher):
    """Failures, turned round: more are worse with a positive multiplier."""

    name = "BuildFailureWeigher"
    setting = "build_failure_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        return -host.failed_builds

    def scores(self, hosts: Sequence[HostState], request: RequestSpec) -> Sequence[float] | None:
        if not any(host.failed_builds for host in hosts):
            return None
        return super().scores(hosts, request)
