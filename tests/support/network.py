"""The network service behind a door, and what tests make in it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from minicloud.api import network
from tests.support.doors import Door, a_door

MOUNT = f"{network.MOUNT}/v2.0"


@asynccontextmanager
async def a_network_service() -> AsyncIterator[Door]:
    """Network alone, over an empty world."""
    async with AsyncExitStack() as stack:
        yield await a_door(stack, [network.service()])


def ann(door: Door) -> httpx.AsyncClient:
    """A member of the project red."""
    return door.as_("ann", mount=MOUNT)


def bob(door: Door) -> httpx.AsyncClient:
    """A member of the project blue."""
    return door.as_("bob", project="blue", mount=MOUNT)


def root(door: Door) -> httpx.AsyncClient:
    """An administrator."""
    return door.as_("root", project="admin", role="admin", mount=MOUNT)


async def made(http: httpx.AsyncClient, kind: str, **values: Any) -> dict[str, Any]:
    """A new resource, as its maker reads it."""
    collection = f"{kind.replace('_', '-')}s"
    answer = await http.post(f"/{collection}", json={kind: values})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()[kind]
    return found


async def a_subnet(
    http: httpx.AsyncClient, network_id: str, cidr: str = "10.0.0.0/24", **values: Any
) -> dict[str, Any]:
    """A new subnet."""
    version = 6 if ":" in cidr else 4
    return await made(http, "subnet", network_id=network_id, cidr=cidr, ip_version=version, **values)


async def a_way_out(door: Door) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Red's network with a subnet, the external network, and red's router between them."""
    async with ann(door) as member, root(door) as admin:
        inside = await made(member, "network", name="inside")
        subnet = await a_subnet(member, inside["id"])
        outside = await made(admin, "network", name="outside", **{"router:external": True})
        await a_subnet(admin, outside["id"], "203.0.113.0/24", enable_dhcp=False)
        router = await made(member, "router", name="r", external_gateway_info={"network_id": outside["id"]})
        joined = await member.put(f"/routers/{router['id']}/add_router_interface", json={"subnet_id": subnet["id"]})
        assert joined.status_code == 200, joined.text
        return inside, outside, router


def error(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, type and message of a refusal."""
    told = answer.json()["NeutronError"]
    assert set(told) == {"type", "message", "detail"}
    return answer.status_code, told["type"], told["message"]
