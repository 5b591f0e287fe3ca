"""IoOpsWeigher: hosts that build or move many servers last, by its negative multiplier."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec


class IoOpsWeigher:
    """How many servers are at work; none is the zero of the scale."""

    name = "IoOpsWeigher"
    setting = "io_ops_weight_multiplier"
    floor = 0.0

    def score(self, host: HostState, request: RequestSpec) -> float:
        return host.num_io_ops
