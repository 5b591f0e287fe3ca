"""RAMWeigher: the host with the most free memory first, so that servers spread; a negative multiplier stacks them."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec


class RAMWeigher:
    """What is free, overcommitment included."""

    name = "RAMWeigher"
    setting = "ram_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        return host.free_ram_mb
