"""Shelving servers (the actions shelve, shelveOffload, unshelve): their disks become images, and they take no room."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.call import Call
from minicloud.api.compute.words import Named
from minicloud.api.routes import Action
from minicloud.base.errors import Invalid
from minicloud.conductor.compute.shelve_server import OffloadServer, ShelveServer
from minicloud.conductor.compute.unshelve_server import UnshelveServer
from minicloud.core.compute import servers, shelves
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-shelve"


async def shelve(call: Call, server_id: str) -> None:
    """Promise that the server is shelved."""

    def work(tx: Transaction) -> None:
        before, server, action_id, image = shelves.ask(tx, call.context, server_id)
        claimed = server.task_state or ""
        if image is None:
            call.begin(
                tx, OffloadServer(server_id=server.id, action_id=action_id, claimed=claimed, was=before.vm_state)
            )
            return
        saga = ShelveServer(
            server_id=server.id,
            action_id=action_id,
            claimed=claimed,
            image_id=image.id,
            was=before.vm_state,
            offload=call.world.options.shelved_offload_time == 0,
        )
        call.begin(tx, saga)

    await call.write(work)


async def offload(call: Call, server_id: str) -> None:
    """Let its host forget it now."""

    def work(tx: Transaction) -> None:
        server, action_id = servers.take(tx, call.context, server_id, "shelve_offload")
        call.begin(tx, OffloadServer(server_id=server.id, action_id=action_id, claimed=server.task_state or ""))

    await call.write(work)


class _Zone(msgspec.Struct, forbid_unknown_fields=True):
    availability_zone: Named


class _ZoneAndHost(msgspec.Struct, forbid_unknown_fields=True):
    availability_zone: Named | UnsetType | None = UNSET
    host: str | UnsetType = UNSET


class _Since277(msgspec.Struct, forbid_unknown_fields=True):
    unshelve: _Zone | None


class _Since291(msgspec.Struct, forbid_unknown_fields=True):
    unshelve: _ZoneAndHost | None


async def unshelve(call: Call, server_id: str, body: bytes) -> None:
    """Promise that it is there again; since 2.77 in a zone, since 2.91 on a host."""
    zone, host = _where(call, body)
    if host is not None:
        call.enforce(f"{POLICY}:unshelve_to_host")

    def work(tx: Transaction) -> Any:
        server, action_id = shelves.ask_down(
            tx, call.context, server_id, zone=zone, host=host, rules=call.world.options.disks
        )
        claimed = server.task_state or ""
        call.begin(tx, UnshelveServer(server_id=server.id, action_id=action_id, claimed=claimed, destination=host))

    await call.write(work)


def _where(call: Call, body: bytes) -> tuple[str | UnsetType | None, str | None]:
    if not call.at_least("2.77"):
        return UNSET, None
    try:
        if not call.at_least("2.91"):
            asked = msgspec.json.decode(body, type=_Since277).unshelve
            return (UNSET if asked is None else asked.availability_zone), None
        found = msgspec.json.decode(body, type=_Since291).unshelve
    except msgspec.ValidationError as error:
        raise Invalid(f"Invalid input for field/attribute unshelve. {error}", kind="body") from error
    if found is None:
        return UNSET, None
    return found.availability_zone, None if found.host is UNSET else found.host


routes = [
    Action("shelve", shelve, policy=f"{POLICY}:shelve", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("shelveOffload", offload, policy=f"{POLICY}:shelve_offload", allow=ADMIN),
    Action("unshelve", unshelve, policy=f"{POLICY}:unshelve", allow=PROJECT_MEMBER_OR_ADMIN, extra=[(f"{POLICY}:unshelve_to_host", ADMIN)]),
]  # fmt: skip
