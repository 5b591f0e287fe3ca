"""RebuildServer keeps the contract of every saga; one that fails leaves the old guest, or nothing, and says so."""

from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

from minicloud.conductor.compute.create_volumed_server import CreateVolumedServer
from minicloud.conductor.compute.rebuild_server import RebuildServer
from minicloud.conductor.executor import Executor
from minicloud.core.compute import rebuilds
from minicloud.core.compute.device_requests import DeviceRequest
from minicloud.core.compute.rebuilds import Rebuild
from tests.support.attachment_stories import VolumedStory
from tests.support.datacenters import IMAGE, OWNER, Datacenter, a_datacenter, ask, only_server
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, is_at_rest
from tests.support.volume_stories import only_volume

pytestmark = pytest.mark.anyio


class RebuildStory(ServerStory):
    given = "running"
    ends = ("active", "running")
    other_image = False

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            wanted = Rebuild(image_id=IMAGE, admin_password="new")
            before, server, action_id = rebuilds.ask(tx, OWNER, only_server(tx).id, wanted)
            return executor.begin(
                tx,
                RebuildServer(
                    server_id=server.id,
                    action_id=action_id,
                    claimed="rebuilding",
                    was=before.vm_state,
                    other_image=self.other_image,
                ),
            )

        return await executor.world.database.write(work)

    def is_finished(self, before: Picture, after: Picture) -> bool:
        return is_at_rest(before, after, *self.ends) and after.last_action == ("rebuild", None)

    def is_clean(self, before: Picture, after: Picture) -> bool:
        """In ERROR with a fault, and on the host the old guest (perhaps off already), or nothing: neither machine nor disk."""
        [(_, _, host, _)] = before.servers
        kept = msgspec.structs.replace(
            after, machines=before.machines, disks=before.disks, servers=before.servers, faults=[], last_action=None
        )
        whole = after.disks == before.disks and set(after.machines) == set(before.machines)
        return (
            kept == msgspec.structs.replace(before, last_action=None)
            and (whole or (after.machines, after.disks) == ({}, {}))
            and after.servers == [("error", None, host, "living")]
            and len(after.faults) == 1
            and after.last_action == ("rebuild", "Error")
        )


class OfStopped(RebuildStory):
    given = "stopped"
    ends = ("stopped", "shutdown")


class FromAnotherImage(RebuildStory):
    """Its host is asked again, and what it has there is claimed anew."""

    other_image = True


async def test_another_image_keeps_it_too() -> None:
    assert await check_contract(FromAnotherImage(), RebuildServer, pairs=20) > 100


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(RebuildStory(), RebuildServer, pairs=60) > 100


async def test_what_was_off_is_off_again() -> None:
    assert await check_contract(OfStopped(), RebuildServer, pairs=20) > 100


class OnVolume(VolumedStory):
    """The volume that it boots from is made of the image anew; what failed after that leaves a volume in error, and says so."""

    async def _prepared(self, stack: AsyncExitStack) -> Datacenter:
        center = await a_datacenter(stack)
        async with Executor(center.world(), [CreateVolumedServer]) as executor:

            def work(tx: Any) -> str:
                root = DeviceRequest(
                    source_type="image", destination_type="volume", source_id=IMAGE, volume_size=2, boot_index=0
                )
                server, action_id = ask(tx, image_id=None, devices=[root])
                return executor.begin(tx, CreateVolumedServer(server_id=server.id, action_id=action_id))

            await executor.world.database.write(work)
            await executor.idle()
        return center

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            wanted = Rebuild(image_id=IMAGE, admin_password="new", reimage=True)
            before, server, action_id = rebuilds.ask(tx, OWNER, only_server(tx).id, wanted)
            return executor.begin(
                tx,
                RebuildServer(
                    server_id=server.id,
                    action_id=action_id,
                    claimed="rebuilding",
                    was=before.vm_state,
                    reimaged=only_volume(tx).id,
                    reimaged_with=IMAGE,
                ),
            )

        return await executor.world.database.write(work)

    def is_finished(self, before: Any, after: Any) -> bool:
        return (
            after.volumes == [("in-use", "attached")]
            and after.stored == 1
            and after.disks == [["volume"]]
            and is_at_rest(before.server, after.server, "active", "running")
            and after.server.last_action == ("rebuild", None)
        )

    def is_clean(self, before: Any, after: Any) -> bool:
        return (
            after.volumes in ([("in-use", "attached")], [("error", "attached")])
            and after.attachments == before.attachments
            and after.server.claims == before.server.claims
            and [server[0] for server in after.server.servers] == ["error"]
            and len(after.server.faults) == 1
            and not after.server.open_sagas
            and not after.server.open_actions
        )


async def test_the_volume_that_it_boots_from_is_part_of_the_contract() -> None:
    assert await check_contract(OnVolume(), RebuildServer, deaths=200, pairs=20) > 100
