"""AggregateTypeAffinityFilter: hosts of an aggregate that names flavors take no others."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_GOOD = Verdict(True, "takes all flavors")


class AggregateTypeAffinityFilter:
    """``instance_type`` of the metadata lists names of flavors."""

    name = "AggregateTypeAffinityFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        named = host.described.metadata.get("instance_type")
        if not named:
            return _GOOD
        return Verdict(
            request.flavor_name in named, f"takes flavor {' or '.join(sorted(named))}; {request.flavor_name} is wanted"
        )
