"""BuildFailureWeigher: hosts on which builds failed since the last that worked, last."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec


class BuildFailureWeigher:
    """Failures, turned round: more are worse with a positive multiplier."""

    name = "BuildFailureWeigher"
    setting = "build_failure_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        return -host.failed_builds
