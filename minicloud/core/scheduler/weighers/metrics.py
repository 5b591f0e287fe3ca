"""MetricsWeigher: numbers that hosts tell of themselves, times the ratios of ``metrics_weight_setting``."""

from minicloud.base.errors import NoValidHost
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Weigher


class MetricsWeigher(Weigher):
    """Without a number that is weighed a host is not told apart: it is refused, or has ``metrics_weight_of_unavailable``."""

    name = "MetricsWeigher"
    setting = "metrics_weight_multiplier"

    def __init__(self, options: SchedulerOptions) -> None:
        self._ratios = options.metrics_weight_setting
        self._required = options.metrics_required
        self._unavailable = options.metrics_weight_of_unavailable

    def score(self, host: HostState, request: RequestSpec) -> float:
        total = 0.0
        for name, ratio in self._ratios:
            value = host.described.metrics.get(name)
            if value is not None:
                total += value * ratio
            elif self._required:
                raise NoValidHost(f"Metric {name} is not told by host {host.host}: see the setting metrics_required")
            elif ratio:
                return self._unavailable
        return total
