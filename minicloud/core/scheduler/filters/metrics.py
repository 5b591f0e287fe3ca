"""MetricsFilter: only hosts that tell the numbers that the metrics weigher needs."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_GOOD = Verdict(True, "tells all metrics that are weighed")


class MetricsFilter:
    """The names of the setting ``metrics_weight_setting``."""

    name = "MetricsFilter"

    def __init__(self, options: SchedulerOptions) -> None:
        self._names = [name for name, _ in options.metrics_weight_setting]

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        missing = [name for name in self._names if name not in host.described.metrics]
        return Verdict(False, f"does not tell the metric {', '.join(missing)}") if missing else _GOOD
