"""Availability zones, with and without their hosts."""

import pytest

from minicloud.core.compute import hosts
from minicloud.engines.database import Transaction
from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"


def two_zones(tx: Transaction) -> None:
    hosts.ensure_service(tx, "control", "nova-conductor", hosts.INTERNAL_ZONE)
    hosts.ensure_service(tx, "one", hosts.COMPUTE, "nova")
    hosts.change_service(tx, hosts.ensure_service(tx, "two", hosts.COMPUTE, "away"), disabled=True)


async def test_zones_of_hosts_that_are_disabled_are_not_available() -> None:
    async with a_compute_service() as door:
        await door.database.write(two_zones)
        ann = door.as_(mount=V)
        assert (await ann.get("/os-availability-zone")).json() == {
            "availabilityZoneInfo": [
                {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None},
                {"zoneName": "away", "zoneState": {"available": False}, "hosts": None},
            ]
        }
        assert (await ann.get("/os-availability-zone/detail")).status_code == 403
        assert (await at(ann, "2.102").get("/os-availability-zone?surprise=1")).status_code == 400


async def test_administrators_see_hosts_and_whether_they_live() -> None:
    async with a_compute_service() as door:
        await door.database.write(two_zones)
        await door.api.means.executor.world.servicegroup.join("nova-compute@one")
        found = (await door.as_("root", role="admin", mount=V).get("/os-availability-zone/detail")).json()
        internal, nova, away = found["availabilityZoneInfo"]
        assert internal["hosts"]["control"]["nova-conductor"]["available"] is False
        compute = nova["hosts"]["one"]["nova-compute"]
        assert (compute["available"], compute["active"], len(compute["updated_at"])) == (True, True, 26)
        assert away == {"zoneName": "away", "zoneState": {"available": False}, "hosts": None}
