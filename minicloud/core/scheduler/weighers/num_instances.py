"""NumInstancesWeigher: hosts with many servers first, or with a negative multiplier those with few; no say by default."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec


class NumInstancesWeigher:
    """How many servers have something there."""

    name = "NumInstancesWeigher"
    setting = "num_instances_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        return host.num_instances
