"""AvailabilityZoneFilter: only hosts of the zone that was asked for."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_ANY = Verdict(True, "any zone will do", for_all=True)


class AvailabilityZoneFilter:
    """Where no zone is asked for, all hosts pass."""

    name = "AvailabilityZoneFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        wanted = request.availability_zone
        if wanted is None:
            return _ANY
        if host.zone == wanted:
            return Verdict(True, f"is in zone {wanted}")
        return Verdict(False, f"is in zone {host.zone}, not in {wanted}")
