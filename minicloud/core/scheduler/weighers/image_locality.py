"""ImageLocalityWeigher: hosts that have servers of the same image, and so its bytes, first; no say by default."""

from collections.abc import Sequence

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Weigher


class ImageLocalityWeigher(Weigher):
    """How many servers of the image are there."""

    name = "ImageLocalityWeigher"
    setting = "image_locality_weight_multiplier"

    def score(self, host: HostState, request: RequestSpec) -> float:
        return request.workload.same_image.get(host.host, 0)

    def scores(self, hosts: Sequence[HostState], request: RequestSpec) -> Sequence[float] | None:
        if not request.workload.same_image:
            return None
        return super().scores(hosts, request)
