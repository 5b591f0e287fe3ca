"""NumInstancesFilter: hosts that have many servers already take no more."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict


class NumInstancesFilter:
    """``max_instances_per_host`` of the settings."""

    name = "NumInstancesFilter"

    def __init__(self, options: SchedulerOptions) -> None:
        self._most = options.max_instances_per_host

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        return Verdict(host.num_instances < self._most, f"has {host.num_instances} of {self._most} servers")
