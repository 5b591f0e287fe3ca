"""Block storage as its users see it: a cloud with clients that ask for volumes and snapshots and wait for them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from tests.support.clouds import TestedCloud, a_cloud

VOLUME = "/volume/v3"
NEWEST = "volume latest"


async def volume_client(cloud: TestedCloud, *, version: str = NEWEST) -> httpx.AsyncClient:
    """A member of the project demo, asking in this microversion."""
    return await cloud.as_("demo", project="demo", version=version)


async def volume_admin(cloud: TestedCloud, *, version: str = NEWEST) -> httpx.AsyncClient:
    """An administrator in the project admin."""
    return await cloud.as_("admin", project="admin", version=version)


@asynccontextmanager
async def with_storage() -> AsyncIterator[tuple[TestedCloud, httpx.AsyncClient, httpx.AsyncClient]]:
    """A cloud, its administrator, and a member of the project demo."""
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        yield cloud, await volume_admin(cloud), await volume_client(cloud)


async def a_volume(cloud: TestedCloud, client: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    """A volume that has been made, as its owner reads it."""
    answer = await client.post(f"{VOLUME}/volumes", json={"volume": {"size": 1, **wanted}})
    assert answer.status_code == 202, answer.text
    await cloud.settled()
    return await read(client, "volume", answer.json()["volume"]["id"])


async def a_snapshot(cloud: TestedCloud, client: httpx.AsyncClient, volume_id: str, **wanted: Any) -> dict[str, Any]:
    """A snapshot that has been taken, as its owner reads it."""
    answer = await client.post(f"{VOLUME}/snapshots", json={"snapshot": {"volume_id": volume_id, **wanted}})
    assert answer.status_code == 202, answer.text
    await cloud.settled()
    return await read(client, "snapshot", answer.json()["snapshot"]["id"])


async def read(client: httpx.AsyncClient, kind: str, resource_id: str) -> dict[str, Any]:
    """A volume or snapshot as this client reads it."""
    answer = await client.get(f"{VOLUME}/{kind}s/{resource_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()[kind]
    return found


async def act(client: httpx.AsyncClient, volume_id: str, name: str, body: Any = None) -> httpx.Response:
    """An action on a volume."""
    return await client.post(f"{VOLUME}/volumes/{volume_id}/action", json={name: body if body is not None else {}})


def message(answer: httpx.Response) -> str:
    """What an error says."""
    [fault] = answer.json().values()
    return str(fault["message"])
