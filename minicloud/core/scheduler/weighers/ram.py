"""RAMWeigher: the host with the most free memory first, so that servers spread; a negative multiplier stacks them."""

from minicloud.core.scheduler.verdict import OwnNumber


class RAMWeigher(OwnNumber):
    """What is free, overcommitment included."""

    name = "RAMWeigher"
    setting = "ram_weight_multiplier"
    field = "free_ram_mb"
