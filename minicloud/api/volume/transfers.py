"""Transfers of volumes to other projects over HTTP, under their old name and their new one."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call
from minicloud.api.microversions import Since
from minicloud.api.routes import Delete, Get, Post, Route
from minicloud.api.volume import lists, values
from minicloud.api.volume.lists import Resource
from minicloud.api.volume.values import Flag
from minicloud.api.volume.volume_views import links
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Condition, Transaction
from minicloud.core.volume import transfers, volumes
from minicloud.core.volume.transfers import Transfer

TRANSFERS = Resource(
    name="transfer",
    collection="transfers",
    filters=("name", "volume_id", "id"),
    columns={
        **{name: name for name in ("id", "name", "volume_id", "created_at", "updated_at")},
        "project_id": "source_project_id",
    },
    owner="source_project_id",
)


class TransferCreate(Body, wrap="transfer"):
    """The body of POST /volume-transfers."""

    volume_id: UUID
    name: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    no_snapshots: Annotated[Flag | UnsetType, Since("3.55")] = UNSET


class Accept(Body, wrap="accept"):
    """The body of POST /volume-transfers/{id}/accept."""

    auth_key: str | int


def brief(call: Call, found: Transfer) -> dict[str, Any]:
    """A transfer in a plain listing."""
    shown = {"id": found.id, "volume_id": found.volume_id, "name": found.name}
    return {**shown, "links": links(call, "os-volume-transfer", found.id)}


def detailed(call: Call, found: Transfer) -> dict[str, Any]:
    """A transfer with all that the version tells."""
    shown = {**brief(call, found), "created_at": found.created_at}
    if call.at_least("3.55"):
        shown["no_snapshots"] = found.no_snapshots
    if call.at_least("3.57"):
        shown["destination_project_id"] = found.destination_project_id
        shown["source_project_id"] = found.source_project_id
        shown["accepted"] = found.accepted
    return shown


async def create(call: Call, body: TransferCreate) -> Any:
    """Offer a volume; this is the only time that the key is told."""
    name = values.text("name", body.name)
    no_snapshots = values.truth("no_snapshots", body.no_snapshots)

    def work(tx: Transaction) -> tuple[Transfer, str]:
        volume = volumes.get(tx, call.context, body.volume_id)
        return transfers.offer(tx, volume, name=name, no_snapshots=no_snapshots)

    made, key = await call.write(work)
    return {"transfer": {**detailed(call, made), "auth_key": key}}


async def _list(call: Call, *, long: bool) -> Any:
    wanted = lists.read(call, TRANSFERS)
    wanted.query.where.append(Condition("accepted", "=", False))
    found = await call.read(lambda tx: lists.page(tx, wanted, transfers.page, Transfer, transfers.find))
    shown = [detailed(call, one) if long else brief(call, one) for one in found]
    return lists.document(call, TRANSFERS, wanted, shown, [one.id for one in found], None)


async def index(call: Call) -> Any:
    """Offers, briefly."""
    return await _list(call, long=False)


async def detail(call: Call) -> Any:
    """Offers with all that they are."""
    return await _list(call, long=True)


async def show(call: Call, transfer_id: str) -> Any:
    """One offer."""
    found = await call.read(lambda tx: transfers.get(tx, call.context, transfer_id))
    return {"transfer": detailed(call, found)}


async def accept(call: Call, transfer_id: str, body: Accept) -> Any:
    """Take a volume over."""

    def work(tx: Transaction) -> Transfer:
        return transfers.accept(tx, call.context, transfers.existing(tx, transfer_id), str(body.auth_key))

    return {"transfer": brief(call, await call.write(work))}


async def delete(call: Call, transfer_id: str) -> None:
    """Withdraw an offer."""
    await call.write(lambda tx: transfers.withdraw(tx, transfers.get(tx, call.context, transfer_id)))


def _routes(root: str, since: str | None) -> list[Route]:
    one = f"{root}/{{transfer_id}}"
    read: dict[str, Any] = {"allow": PROJECT_READER_OR_ADMIN, "since": since}
    write: dict[str, Any] = {"allow": PROJECT_MEMBER_OR_ADMIN, "since": since, "status": 202}
    return [
        Get(root, index, policy="volume:get_all_transfers", **read),
        Post(root, create, policy="volume:create_transfer", **write),
        Get(f"{root}/detail", detail, policy="volume:get_all_transfers", **read),
        Get(one, show, policy="volume:get_transfer", **read),
        Post(f"{one}/accept", accept, policy="volume:accept_transfer", **write),
        Delete(one, delete, policy="volume:delete_transfer", **write),
    ]


routes = [*_routes("/os-volume-transfer", None), *_routes("/volume-transfers", "3.55")]
