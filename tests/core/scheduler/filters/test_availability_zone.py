"""AvailabilityZoneFilter: the zone asked for, or any."""

from minicloud.core.scheduler.filters.availability_zone import AvailabilityZoneFilter
from tests.support.scheduling import a_request, a_state


def test_only_hosts_of_the_zone_pass() -> None:
    passes = AvailabilityZoneFilter().passes
    assert passes(a_state(zone="east"), a_request()).passed
    assert passes(a_state(zone="east"), a_request(availability_zone="east")).passed
    other = passes(a_state(zone="east"), a_request(availability_zone="west"))
    assert (other.passed, other.why) == (False, "is in zone east, not in west")
