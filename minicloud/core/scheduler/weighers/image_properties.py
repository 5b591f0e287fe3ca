"""ImagePropertiesWeigher: hosts whose servers come from images with the same properties first; no say by default."""

from collections.abc import Sequence

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Weigher


class ImagePropertiesWeigher(Weigher):
    """Each property that is shared counts once for each server there, by its ratio where the setting names ratios."""

    name = "ImagePropertiesWeigher"
    setting = "image_props_weight_multiplier"

    def __init__(self, options: SchedulerOptions) -> None:
        self._ratios = dict(options.image_props_weight_setting)

    def score(self, host: HostState, request: RequestSpec) -> float:
        there = request.workload.properties.get(host.host)
        if not there:
            return 0.0
        return sum(
            (self._ratios.get(pair[0], 0.0) if self._ratios else 1.0) * there.get(pair, 0)
            for pair in request.image_properties.items()
        )

    def scores(self, hosts: Sequence[HostState], request: RequestSpec) -> Sequence[float] | None:
        if not request.workload.properties:
            return None
        return super().scores(hosts, request)
