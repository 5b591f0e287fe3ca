"""PCIWeigher: hosts with few free PCI devices first, so that those with many stay for who needs them."""

from collections.abc import Sequence

from minicloud.core.scheduler import pci
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Weigher

MOST = 100


class PCIWeigher(Weigher):
    """What is missing of a hundred."""

    name = "PCIWeigher"
    setting = "pci_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        free = pci.free_count(host.described.devices, host.occupancy.devices) if host.described.devices else 0
        return MOST - min(free, MOST - 1)

    def scores(self, hosts: Sequence[HostState], request: RequestSpec) -> Sequence[float] | None:
        if not any(host.described.devices for host in hosts):
            return None
        return super().scores(hosts, request)
