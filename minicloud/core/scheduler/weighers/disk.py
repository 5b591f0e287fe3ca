"""DiskWeigher: the host with the most free disk first, so that servers spread; a negative multiplier stacks them."""

from minicloud.core.scheduler.verdict import OwnNumber


class DiskWeigher(OwnNumber):
    """What is free, overcommitment included."""

    name = "DiskWeigher"
    setting = "disk_weight_multiplier"
    field = "free_disk_gb"
