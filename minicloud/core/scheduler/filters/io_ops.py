"""IoOpsFilter: hosts that build or move too many servers at once are spared."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict


class IoOpsFilter:
    """``max_io_ops_per_host`` of the settings."""

    name = "IoOpsFilter"

    def __init__(self, options: SchedulerOptions) -> None:
        self._most = options.max_io_ops_per_host

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        return Verdict(
            host.num_io_ops < self._most,
            f"has {host.num_io_ops} servers being built or moved, of less than {self._most}",
        )
