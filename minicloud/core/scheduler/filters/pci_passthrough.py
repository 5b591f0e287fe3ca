"""PciPassthroughFilter: the host has the PCI devices that a server asks for."""

from minicloud.core.scheduler import pci
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_NOTHING = Verdict(True, "no PCI devices are asked for", for_all=True)


class PciPassthroughFilter:
    """Devices are given one by one; whether they are near enough to pinned CPUs is for NUMATopologyFilter to say."""

    name = "PciPassthroughFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        if not request.devices:
            return _NOTHING
        found = pci.assign(host.described.devices, host.occupancy.devices, request.devices)
        if isinstance(found, str):
            return Verdict(False, found)
        return Verdict(True, f"has {', '.join(device.address for device in found)}")
