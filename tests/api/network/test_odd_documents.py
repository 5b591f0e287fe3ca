"""Whatever stands in an attribute or a query, the answer is a refusal in Neutron's dialect or an honest success, never a 500."""

from typing import Any

import pytest

from minicloud.api.network import (
    address_groups,
    floatingips,
    networks,
    ports,
    routers,
    security_group_rules,
    security_groups,
    subnet_pools,
    subnets,
)
from minicloud.api.network.attributes import Resource
from tests.support.network import a_network_service, a_subnet, a_way_out, ann, made, root

pytestmark = pytest.mark.anyio

ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    2**70,
    1.5,
    "",
    "x" * 300,
    "\x00",
    "😀",
    "10.0.0.999",
    "::ffff:1.2.3.4",
    "fe80::1%eth0",
    "11111111-1111-1111-1111-111111111111",
    [],
    {},
    [None],
    [[]],
    [{}],
    ["a", "a"],
    {"a": 1},
    [{"ip_address": None}],
    [{"ip_address": 5, "subnet_id": []}],
    [{"start": None, "end": "10.0.0.1"}],
    [{"destination": 7, "nexthop": {}}],
    {"network_id": "11111111-1111-1111-1111-111111111111", "enable_snat": []},
    {"network_id": {}, "external_fixed_ips": 5},
]

RESOURCES: list[tuple[str, Resource]] = [
    ("networks", networks.NETWORK),
    ("subnets", subnets.SUBNET),
    ("ports", ports.PORT),
    ("routers", routers.ROUTER),
    ("floatingips", floatingips.FLOATING),
    ("security-groups", security_groups.GROUP),
    ("security-group-rules", security_group_rules.RULE),
    ("address-groups", address_groups.GROUP),
    ("subnetpools", subnet_pools.POOL),
]


@pytest.mark.parametrize(("path", "resource"), RESOURCES, ids=lambda value: value if isinstance(value, str) else "")
async def test_odd_values(path: str, resource: Resource) -> None:
    async with a_network_service() as door, root(door) as http:
        inside, outside, router = await a_way_out(door)
        base: dict[str, dict[str, Any]] = {
            "subnets": {"network_id": inside["id"], "cidr": "10.3.0.0/24", "ip_version": 4},
            "ports": {"network_id": inside["id"]},
            "subnetpools": {"name": "p", "prefixes": ["10.8.0.0/16"]},
            "address-groups": {},
            "floatingips": {"floating_network_id": outside["id"]},
        }
        group = await made(http, "security_group", name="g")
        base["security-group-rules"] = {"security_group_id": group["id"], "direction": "ingress"}
        known = {"networks": inside["id"], "routers": router["id"], "security-groups": group["id"]}
        if path not in known and path != "security-group-rules":
            existing = (await http.get(f"/{path}")).json()[resource.collection]
            known[path] = existing[0]["id"] if existing else (await made(http, resource.name, **base[path]))["id"]
        for name in resource.attributes:
            for value in ODD:
                for answer in (
                    await http.post(f"/{path}", json={resource.name: {**base.get(path, {}), name: value}}),
                    await http.put(f"/{path}/{known.get(path)}", json={resource.name: {name: value}}),
                ):
                    assert answer.status_code < 500, (name, value, answer.text)
                    if answer.status_code >= 400:
                        assert set(answer.json()["NeutronError"]) == {"type", "message", "detail"}, (name, value)


@pytest.mark.parametrize(("path", "resource"), RESOURCES, ids=lambda value: value if isinstance(value, str) else "")
async def test_odd_queries(path: str, resource: Resource) -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        await a_subnet(http, network["id"])
        for name in [
            *resource.attributes,
            "fields",
            "sort_key",
            "sort_dir",
            "limit",
            "marker",
            "page_reverse",
            "tags",
            "x",
        ]:
            for text in ("", "x", "-1", "0", "9" * 40, "%00", "%ff", "true", "a=b", "ip_address=", "%F0%9F%98%80"):
                answer = await http.get(
                    f"/{path}?{name}={text}&limit=2" if name != "limit" else f"/{path}?limit={text}"
                )
                assert answer.status_code in (200, 400), (name, text, answer.text)
                both = await http.get(f"/{path}?{name}={text}&{name}=1")
                assert both.status_code in (200, 400), (name, text, both.text)


@pytest.mark.parametrize(
    "document",
    [
        b"[]",
        b"5",
        b'"x"',
        b"\xff",
        b'{"port": 5}',
        b'{"ports": [5, null]}',
        b"[" * 5000,
        b'{"port": {"name": "\\ud83d"}}',
    ],
)
async def test_odd_documents(document: bytes) -> None:
    async with a_network_service() as door, root(door) as http:
        _, _, router = await a_way_out(door)
        for verb, path in (
            ("POST", "/ports"),
            ("PUT", "/quotas/red"),
            ("PUT", f"/routers/{router['id']}"),
            ("PUT", f"/routers/{router['id']}/add_router_interface"),
            ("PUT", f"/routers/{router['id']}/tags"),
            ("POST", f"/routers/{router['id']}/tags"),
        ):
            answer = await http.request(verb, path, content=document)
            assert 400 <= answer.status_code < 500, (verb, path, answer.text)
