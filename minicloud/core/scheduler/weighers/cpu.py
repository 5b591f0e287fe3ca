"""CPUWeigher: the host with the most free vCPUs first, so that servers spread; a negative multiplier stacks them."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec


class CPUWeigher:
    """What is free, overcommitment included."""

    name = "CPUWeigher"
    setting = "cpu_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        return host.free_vcpus
