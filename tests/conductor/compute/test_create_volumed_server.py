"""Creating a server on a volume made of an image, with one that is there already and a blank one: the contract of sagas."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.conductor.compute.create_volumed_server import CreateVolumedServer
from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.create_volume import CreateVolume
from minicloud.core.compute.device_requests import DeviceRequest
from tests.support.attachment_stories import VolumedPicture, VolumedStory
from tests.support.datacenters import IMAGE, Datacenter, a_datacenter, ask
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import only_volume, promise_volume

pytestmark = pytest.mark.anyio


class OnVolumes(VolumedStory):
    hosts = 3
    goes_with_it = True

    async def _prepared(self, stack: AsyncExitStack) -> Datacenter:
        center = await a_datacenter(stack, hosts=self.hosts)
        async with Executor(center.world(), [CreateVolume]) as executor:
            await executor.world.database.write(lambda tx: promise_volume(tx, executor))
            await executor.idle()
        return center

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            devices = [
                DeviceRequest(
                    source_type="image",
                    destination_type="volume",
                    source_id=IMAGE,
                    volume_size=2,
                    boot_index=0,
                    delete_on_termination=self.goes_with_it,
                ),
                DeviceRequest(source_type="volume", destination_type="volume", source_id=only_volume(tx).id),
                DeviceRequest(
                    source_type="blank",
                    destination_type="volume",
                    volume_size=1,
                    delete_on_termination=self.goes_with_it,
                ),
            ]
            server, action_id = ask(tx, image_id=None, devices=devices)
            return executor.begin(tx, CreateVolumedServer(server_id=server.id, action_id=action_id))

        return await executor.world.database.write(work)

    def is_finished(self, before: Any, after: Any) -> bool:
        assert isinstance(after, VolumedPicture)
        return (
            after.volumes == [("in-use", "attached")] * 3
            and sorted(after.devices, key=str)
            == [("/dev/vda", self.goes_with_it), ("/dev/vdb", False), ("/dev/vdc", self.goes_with_it)]
            and sorted(after.attachments, key=str) == [("attached", f"/dev/vd{x}") for x in "abc"]
            and after.disks == [["volume", "volume", "volume"]]
            and after.stored == 3
            and [server[0] for server in after.server.servers] == ["active"]
            and [claim[1:] for claim in after.server.claims] == [("MEMORY_MB", 512), ("VCPU", 1)]
            and not after.server.open_sagas
            and not after.server.open_actions
        )

    def is_clean(self, before: Any, after: Any) -> bool:
        assert isinstance(after, VolumedPicture)
        return (
            before.volumes == [("available", "detached")]
            and self.is_what_stays(after)
            and not after.devices
            and not after.attachments
            and not after.disks
            and [server[0] for server in after.server.servers] == ["error"]
            and not (after.server.claims or after.server.ports or after.server.machines)
            and not after.server.open_sagas
            and not after.server.open_actions
        )

    def is_what_stays(self, after: VolumedPicture) -> bool:
        """Of the volumes: the one that was there."""
        return after.volumes == [("available", "detached")] and after.stored == 1


class OnVolumesThatStay(OnVolumes):
    goes_with_it = False

    def is_what_stays(self, after: VolumedPicture) -> bool:
        """Those that were made, and one in error at most, of which nothing lies on the backend."""
        made = [volume for volume in after.volumes if volume == ("available", "detached")]
        failed = [volume for volume in after.volumes if volume == ("error", "detached")]
        return len(made) + len(failed) == len(after.volumes) <= 3 and len(failed) <= 1 and after.stored == len(made)


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(OnVolumes(), CreateVolumedServer, deaths=200, pairs=60) > 100


async def test_volumes_that_do_not_go_with_it_stay_as_far_as_they_were_made() -> None:
    assert await check_contract(OnVolumesThatStay(), CreateVolumedServer, deaths=100, pairs=20) > 100
