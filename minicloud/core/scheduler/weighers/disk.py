"""DiskWeigher: the host with the most free disk first, so that servers spread; a negative multiplier stacks them."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec


class DiskWeigher:
    """What is free, overcommitment included."""

    name = "DiskWeigher"
    setting = "disk_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        return host.free_disk_gb
