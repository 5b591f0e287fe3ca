"""IoOpsWeigher: hosts that build or move many servers last, by its negative multiplier."""

from minicloud.core.scheduler.verdict import OwnNumber


class IoOpsWeigher(OwnNumber):
    """How many servers are at work; none is the zero of the scale."""

    name = "IoOpsWeigher"
    setting = "io_ops_weight_multiplier"
    field = "num_io_ops"
    floor = 0.0
