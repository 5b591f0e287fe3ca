"""ShelveServer and OffloadServer keep the contract of every saga: an image with the disk and no room taken, or the server as it was."""

from typing import Any

import pytest

from minicloud.conductor.compute.shelve_server import OffloadServer, ShelveServer
from minicloud.conductor.executor import Executor
from minicloud.core.compute import shelves
from tests.conductor.compute.test_create_image import Images, ImageStory
from tests.support.datacenters import OWNER, Datacenter, only_server, take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import as_it_was

pytestmark = pytest.mark.anyio


def begin_shelving(tx: Any, executor: Executor, *, offload: bool) -> str:
    before, server, action_id, image = shelves.ask(tx, OWNER, only_server(tx).id)
    assert image is not None
    return executor.begin(
        tx,
        ShelveServer(
            server_id=server.id,
            action_id=action_id,
            claimed="shelving",
            image_id=image.id,
            was=before.vm_state,
            offload=offload,
        ),
    )


def is_offloaded(after: Images, *, images: bool = True) -> bool:
    """It lives nowhere and takes nothing but its addresses and its image, where it has one."""
    server = after.server
    return (
        server.servers == [("shelved_offloaded", None, None, "living")]
        and (server.claims, server.machines, server.wired, server.disks) == ([], {}, {}, {})
        and [(host, status) for _, host, status in server.ports] == [("", "DOWN")]
        and after.images == ([("web-shelved", "active", False)] if images else [])
        and (server.open_sagas, server.open_actions) == ([], [])
    )


class ShelveStory(ImageStory):
    given = "running"
    offload = True

    async def begin(self, executor: Executor) -> str:
        return str(await executor.world.database.write(lambda tx: begin_shelving(tx, executor, offload=self.offload)))

    def is_finished(self, before: Images, after: Images) -> bool:
        if (after.blobs, after.files) != (before.blobs + 1, 0) or after.server.last_action != ("shelve", None):
            return False
        if self.offload:
            return is_offloaded(after) and after.server.addresses == before.server.addresses
        [(_, _, host, _)] = before.server.servers
        return (
            after.server.servers == [("shelved", None, host, "living")]
            and after.server.claims == before.server.claims
            and after.server.disks == before.server.disks
            and [list(powers.values()) for powers in after.server.machines.values()] == [["shutdown"]]
        )

    def is_clean(self, before: Images, after: Images) -> bool:
        return (
            as_it_was(before.server, after.server)
            and after.images == [("web-shelved", "deleted", True)]
            and (after.blobs, after.files) == (before.blobs, 0)
            and after.server.last_action == ("shelve", "Error")
        )


class Kept(ShelveStory):
    offload = False


class OffloadStory(ShelveStory):
    """Of a server that was shelved and stayed on its host."""

    async def _prepared(self, stack: Any) -> Datacenter:
        center = await super()._prepared(stack)
        async with Executor(center.world(), [ShelveServer]) as executor:
            await center.database.write(lambda tx: begin_shelving(tx, executor, offload=False))
            await executor.idle()
        return center

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = take(tx, "shelve_offload")
            claimed = server.task_state or ""
            return executor.begin(tx, OffloadServer(server_id=server.id, action_id=action_id, claimed=claimed))

        return str(await executor.world.database.write(work))

    def is_finished(self, before: Images, after: Images) -> bool:
        return is_offloaded(after) and after.server.last_action == ("shelveOffload", None)

    def is_clean(self, before: Images, after: Images) -> bool:
        return as_it_was(before.server, after.server) and after.images == before.images


class AtOnce(ImageStory):
    """As one that boots from a volume, of which no image is made."""

    given = "running"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = take(tx, "shelve")
            claimed = server.task_state or ""
            saga = OffloadServer(server_id=server.id, action_id=action_id, claimed=claimed, was="active")
            return executor.begin(tx, saga)

        return str(await executor.world.database.write(work))

    def is_finished(self, before: Images, after: Images) -> bool:
        return is_offloaded(after, images=False) and after.server.last_action == ("shelve", None)

    def is_clean(self, before: Images, after: Images) -> bool:
        return as_it_was(before.server, after.server) and after.images == before.images


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(ShelveStory(), ShelveServer, deaths=40, pairs=10) > 50


async def test_without_offloading_it_keeps_the_contract() -> None:
    assert await check_contract(Kept(), ShelveServer, deaths=10, pairs=5, troubles=12) > 20


async def test_offloading_keeps_the_contract() -> None:
    assert await check_contract(OffloadStory(), OffloadServer, deaths=30, pairs=10) > 10


async def test_offloading_at_once_keeps_the_contract() -> None:
    assert await check_contract(AtOnce(), OffloadServer, deaths=20, pairs=5) > 10
