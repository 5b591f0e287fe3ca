"""NumInstancesWeigher: hosts with many servers first, or with a negative multiplier those with few; no say by default."""

from minicloud.core.scheduler.verdict import OwnNumber


class NumInstancesWeigher(OwnNumber):
    """How many servers have something there."""

    name = "NumInstancesWeigher"
    setting = "num_instances_weight_multiplier"
    field = "num_instances"
