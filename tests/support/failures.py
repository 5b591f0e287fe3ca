"""What a failed build could leave of itself in a cloud of simulated hosts, and what its owner and an administrator are told of it."""

from typing import Any

import msgspec

from minicloud.base.errors import ErrorFacts
from minicloud.base.trace import Latest
from minicloud.cli import story
from minicloud.cli.explain import about, mentioned
from minicloud.conductor import log
from minicloud.core import records
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.network.rows import Port
from minicloud.core.volume.attachments import VolumeAttachment
from minicloud.core.volume.volumes import Volume
from minicloud.drivers.faults import Fault
from minicloud.engines.database import Transaction
from minicloud.operations import reads
from tests.support.clouds import TestedCloud


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that could be left: claims, ports (with who has them), addresses, disks, machines, wires, volumes."""

    claims: int
    ports: list[tuple[str, str, str]]
    addresses: int
    disks: list[str]
    machines: list[str]
    wired: dict[str, list[str]]
    stored: list[str]
    volumes: list[tuple[str, str]]
    attachments: int
    devices: int
    open_sagas: int


async def left(cloud: TestedCloud) -> Left:
    """The picture of this moment."""
    disks, machines, wired = [], [], {}
    for host, agent in cloud.cloud.agents.items():
        disks += await agent.storage.machines()
        machines += [machine.id for machine in await agent.hypervisor.machines()]
        wired[host] = sorted((await agent.fabric.facts()).ports)
    stored = [volume for backend in cloud.cloud.backends for volume in await backend.store.volumes()]

    def look(tx: Transaction) -> Left:
        ports = [p for p in records.select(tx, Port) if not p.device_owner.startswith("network:")]
        return Left(
            claims=tx.all("SELECT count(*) FROM placement_allocations")[0][0],
            ports=sorted((p.id, p.device_id, p.host) for p in ports),
            addresses=tx.all("SELECT count(*) FROM ip_allocations")[0][0],
            disks=sorted(disks),
            machines=sorted(machines),
            wired=wired,
            stored=sorted(stored),
            volumes=sorted((v.id, v.status) for v in records.select(tx, Volume)),
            attachments=len(records.select(tx, VolumeAttachment)),
            devices=len(records.select(tx, BlockDevice)),
            open_sagas=len(log.unfinished(tx)),
        )

    return await cloud.read(look)


def meets(cloud: TestedCloud, verb: str, message: str, *, count: int | None = None, **more: Any) -> None:
    """From now on this verb of the simulated drivers fails with this message, ``count`` times or always."""
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.add(Fault(verb=verb, count=count, error=ErrorFacts("failed", message), **more))


def heals(cloud: TestedCloud) -> None:
    """No fault is to come any more."""
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.set([])


async def explained(cloud: TestedCloud, what: str) -> str:
    """What ``minicloud explain`` says."""
    subject = await cloud.read(lambda tx: reads.subject(tx, what))
    notes = about(subject, Latest(notes=cloud.notes.notes).read)
    names = await cloud.read(lambda tx: reads.names(tx, mentioned(notes)))
    return "\n".join(story.written(subject, story.tell(subject, notes, names)))


async def failed_events(cloud: TestedCloud, server_id: str) -> list[dict[str, Any]]:
    """The events of a server's newest action that failed, as an administrator reads them."""
    path = f"/compute/v2.1/servers/{server_id}/os-instance-actions"
    newest = (await cloud.admin.get(path)).json()["instanceActions"][0]
    assert newest["message"] == "Error", newest
    action = (await cloud.admin.get(f"{path}/{newest['request_id']}")).json()["instanceAction"]
    return [event for event in action["events"] if event["result"] == "Error"]
