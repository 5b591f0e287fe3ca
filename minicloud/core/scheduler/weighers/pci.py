"""PCIWeigher: hosts with few free PCI devices first, so that those with many stay for who needs them."""

from minicloud.core.scheduler import pci
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec

MOST = 100


class PCIWeigher:
    """What is missing of a hundred."""

    name = "PCIWeigher"
    setting = "pci_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        free = pci.free_count(host.described.devices, host.occupancy.devices) if host.described.devices else 0
        return MOST - min(free, MOST - 1)
