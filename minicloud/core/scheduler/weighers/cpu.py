"""CPUWeigher: the host with the most free vCPUs first, so that servers spread; a negative multiplier stacks them."""

from minicloud.core.scheduler.verdict import OwnNumber


class CPUWeigher(OwnNumber):
    """What is free, overcommitment included."""

    name = "CPUWeigher"
    setting = "cpu_weight_multiplier"
    field = "free_vcpus"
