"""UnshelveServer keeps the contract of every saga, for servers that were offloaded and for those that still lie on their host."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.conductor.compute.shelve_server import ShelveServer
from minicloud.conductor.compute.unshelve_server import UnshelveServer
from minicloud.conductor.executor import Executor
from minicloud.core.compute import shelves
from minicloud.core.image import images
from minicloud.core.image.images import Image
from minicloud.core.records import select
from tests.conductor.compute.test_create_image import Images, ImageStory
from tests.conductor.compute.test_shelve_server import begin_shelving
from tests.support.datacenters import IMAGE, OWNER, Datacenter, only_server
from tests.support.saga_contract import check_contract
from tests.support.server_stories import as_it_was

pytestmark = pytest.mark.anyio


def begin_unshelving(tx: Any, executor: Executor) -> str:
    server, action_id = shelves.ask_down(tx, OWNER, only_server(tx).id)
    return executor.begin(tx, UnshelveServer(server_id=server.id, action_id=action_id, claimed="unshelving"))


class UnshelveStory(ImageStory):
    given = "running"
    offloaded = True
    hosts = 4

    async def outside(self, stack: AsyncExitStack) -> Any:
        center = await super().outside(stack)
        # Blobs are no part of what a snapshot of a datacenter keeps.
        for image in await center.database.read(lambda tx: select(tx, Image, "id <> ?", [IMAGE])):
            await center.blobs.put(image.id, self._bytes(center))
        return center

    async def _bytes(self, center: Any) -> Any:
        yield self._content

    async def _prepared(self, stack: Any) -> Datacenter:
        center = await super()._prepared(stack)
        async with Executor(center.world(), [ShelveServer]) as executor:
            await center.database.write(lambda tx: begin_shelving(tx, executor, offload=self.offloaded))
            await executor.idle()
        [key] = [key for key in await center.blobs.keys() if key != IMAGE]
        self._content = b"".join([piece async for piece in center.blobs.get(key)])
        return center

    async def begin(self, executor: Executor) -> str:
        return str(await executor.world.database.write(lambda tx: begin_unshelving(tx, executor)))

    def is_finished(self, before: Images, after: Images) -> bool:
        [(vm_state, task, host, _)] = after.server.servers
        return (
            (vm_state, task, host is not None) == ("active", None, True)
            and {h: list(powers.values()) for h, powers in after.server.machines.items()} == {host: ["running"]}
            and set(after.server.disks) == set(after.server.wired) == {host}
            and [(h, status) for _, h, status in after.server.ports] == [(host, "ACTIVE")]
            and {claim[0] for claim in after.server.claims} == {host}
            and after.images == [("web-shelved", "deleted", True)]
            and after.blobs == before.blobs - 1
            and after.server.last_action == ("unshelve", None)
        )

    def is_clean(self, before: Images, after: Images) -> bool:
        return (
            as_it_was(before.server, after.server)
            and (after.images, after.blobs) == (before.images, before.blobs)
            and after.server.last_action == ("unshelve", "Error")
        )


class OnItsHost(UnshelveStory):
    offloaded = False


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(UnshelveStory(), UnshelveServer, deaths=40, pairs=10) > 50


async def test_on_its_host_it_keeps_the_contract() -> None:
    assert await check_contract(OnItsHost(), UnshelveServer, deaths=10, pairs=5, troubles=12) > 20


async def test_without_its_image_it_is_lost() -> None:
    async with AsyncExitStack() as stack:
        center = await UnshelveStory().outside(stack)
        async with Executor(center.world(), [UnshelveServer]) as executor:
            [image] = await center.database.read(lambda tx: select(tx, Image, "id <> ?", [IMAGE]))
            await center.database.write(lambda tx: images.delete(tx, image))
            await center.database.write(lambda tx: begin_unshelving(tx, executor))
            await executor.idle()
        server = await center.database.read(only_server)
        assert (server.vm_state, server.task_state) == ("error", None)
        assert server.fault is not None
        assert server.fault.message == f"Unshelve attempted but the image {image.id} cannot be found."
