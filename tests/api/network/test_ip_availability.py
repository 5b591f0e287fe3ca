"""/network-ip-availabilities: what administrators read of addresses that are there and taken."""

import pytest

from tests.support.network import a_network_service, a_subnet, ann, error, made, root

pytestmark = pytest.mark.anyio


async def test_addresses_are_counted_by_subnet_and_network() -> None:
    async with a_network_service() as door, ann(door) as http, root(door) as admin:
        network = await made(http, "network", name="n")
        pools = [{"start": "10.0.0.10", "end": "10.0.0.19"}, {"start": "10.0.0.30", "end": "10.0.0.30"}]
        four = await a_subnet(http, network["id"], name="four", allocation_pools=pools)
        six = await a_subnet(http, network["id"], "fd00::/64", name="six", enable_dhcp=False)
        for _ in range(2):
            await made(http, "port", network_id=network["id"], fixed_ips=[{"subnet_id": four["id"]}])
        shown = await admin.get(f"/network-ip-availabilities/{network['id']}")
        assert shown.json() == {
            "network_ip_availability": {
                "network_id": network["id"],
                "network_name": "n",
                "tenant_id": "red",
                "project_id": "red",
                "total_ips": 11 + 2**64 - 1,
                "used_ips": 3,  # DHCP has one, too
                "subnet_ip_availability": [
                    {
                        "subnet_id": subnet_id,
                        "subnet_name": name,
                        "cidr": cidr,
                        "ip_version": version,
                        "total_ips": total,
                        "used_ips": used,
                    }
                    for subnet_id, name, cidr, version, total, used in (
                        (four["id"], "four", "10.0.0.0/24", 4, 11, 3),
                        (six["id"], "six", "fd00::/64", 6, 2**64 - 1, 0),
                    )
                ],
            }
        }
        only = await admin.get("/network-ip-availabilities?ip_version=6&network_name=n")
        [found] = only.json()["network_ip_availabilities"]
        assert [subnet["subnet_id"] for subnet in found["subnet_ip_availability"]] == [six["id"]]
        await made(http, "network", name="empty")
        everything = (await admin.get("/network-ip-availabilities")).json()["network_ip_availabilities"]
        assert [(one["network_name"], one["total_ips"] > 0) for one in everything] == [("n", True), ("empty", False)]
        assert (
            len((await admin.get("/network-ip-availabilities?ip_version=4")).json()["network_ip_availabilities"]) == 1
        )
        assert (await admin.get("/network-ip-availabilities?tenant_id=blue")).json()["network_ip_availabilities"] == []


async def test_it_is_for_administrators() -> None:
    async with a_network_service() as door, ann(door) as http, root(door) as admin:
        network = await made(http, "network", name="n")
        assert (await http.get("/network-ip-availabilities")).json() == {"network_ip_availabilities": []}
        hidden = await http.get(f"/network-ip-availabilities/{network['id']}")
        assert error(hidden)[:2] == (404, "NetworkNotFound")
        assert error(await admin.get("/network-ip-availabilities/x"))[:2] == (404, "NetworkNotFound")
        assert (await admin.get("/network-ip-availabilities?ip_version=x")).status_code == 400
        assert (await admin.get("/network-ip-availabilities?colour=red")).status_code == 400
        assert (await http.get("/extensions/network-ip-availability")).status_code == 200
