"""AggregateNumInstancesFilter: as NumInstancesFilter, with ``max_instances_per_host`` of the host's aggregates."""

from minicloud.core.scheduler.aggregate_limits import least
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict


class AggregateNumInstancesFilter:
    """The least limit of its aggregates counts; the setting where they have none."""

    name = "AggregateNumInstancesFilter"

    def __init__(self, options: SchedulerOptions) -> None:
        self._most = options.max_instances_per_host

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        most = least(host.described, "max_instances_per_host", self._most)
        return Verdict(host.num_instances < most, f"has {host.num_instances} servers, of {most} allowed")
