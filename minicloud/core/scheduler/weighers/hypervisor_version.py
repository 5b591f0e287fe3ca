"""HypervisorVersionWeigher: newer hypervisors first."""

from minicloud.core.scheduler.verdict import OwnNumber


class HypervisorVersionWeigher(OwnNumber):
    """The version as a number."""

    name = "HypervisorVersionWeigher"
    setting = "hypervisor_version_weight_multiplier"
    field = "hypervisor_version"
