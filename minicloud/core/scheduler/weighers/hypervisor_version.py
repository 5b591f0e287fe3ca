"""HypervisorVersionWeigher: newer hypervisors first."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec


class HypervisorVersionWeigher:
    """The version as a number."""

    name = "HypervisorVersionWeigher"
    setting = "hypervisor_version_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        return host.hypervisor_version
