"""Rescuing over HTTP: which image boots, what the password is, and what is refused."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.api.compute.test_resizes import act, events
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack)


async def disks(cloud: TestedCloud, server_id: str) -> list[str]:
    return [disk.id for disk in cloud.hypervisor()._machines[server_id].machine.disks]


async def test_a_rescued_server_has_its_disk_behind_another(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    answer = await cloud.act(server["id"], {"rescue": {"adminPass": "let-me-in"}})
    assert (answer.status_code, answer.json()) == (200, {"adminPass": "let-me-in"})
    await cloud.settled()
    assert (await cloud.server(server["id"]))["status"] == "RESCUE"
    assert await disks(cloud, server["id"]) == ["rescue", "root"]
    assert await events(cloud, server["id"]) == ("rescue", [("compute_rescue_instance", "Success")])
    stopped = await cloud.act(server["id"], {"os-stop": None})
    assert stopped.status_code == 409
    await act(cloud, server, {"unrescue": None})
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
    assert await disks(cloud, server["id"]) == ["root"]


async def test_the_image_may_be_named_and_must_be_there(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    nowhere = "5eed0000-0000-4000-8000-000000000001"
    refused = await cloud.act(server["id"], {"rescue": {"rescue_image_ref": nowhere}})
    assert (refused.status_code, refused.json()["badRequest"]["message"]) == (
        400,
        f"Requested rescue image '{nowhere}' is not supported",
    )
    assert (await cloud.act(server["id"], {"rescue": {"rescue_image_ref": "x"}})).status_code == 400
    assert (await cloud.act(server["id"], {"unrescue": None})).status_code == 409
    named = await cloud.act(server["id"], {"rescue": {"rescue_image_ref": await cloud.image_id()}})
    assert (named.status_code, len(named.json()["adminPass"])) == (200, 12)
    await cloud.settled()
    assert (await cloud.server(server["id"]))["status"] == "RESCUE"
    await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
    await cloud.settled()
    assert await cloud.hypervisor().machines() == []
