"""Servers one by one: show, update, delete (/servers/{id})."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body, Name
from minicloud.api.call import Call
from minicloud.api.compute import deferred_deletes as deferred
from minicloud.api.compute import queries, server_views
from minicloud.api.compute.server_listing import surroundings, surroundings_of
from minicloud.api.compute.server_views import Surroundings
from minicloud.api.compute.words import Described, Hostname, Named, check_address, check_hostname
from minicloud.api.microversions import Since
from minicloud.api.routes import Delete, Get, Put
from minicloud.core import records
from minicloud.core.compute import deferred_deletes, servers, zones
from minicloud.core.compute.servers import Server
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:servers"


class ServerUpdate(Body, wrap="server"):
    """The body of PUT /servers/{id}."""

    name: Named | UnsetType = UNSET
    access_ip_v4: str | UnsetType = msgspec.field(name="accessIPv4", default=UNSET)
    access_ip_v6: str | UnsetType = msgspec.field(name="accessIPv6", default=UNSET)
    disk_config: Literal["AUTO", "MANUAL"] | UnsetType = msgspec.field(name="OS-DCF:diskConfig", default=UNSET)
    description: Annotated[Described | UnsetType | None, Since("2.19")] = UNSET
    hostname: Annotated[Hostname | UnsetType, Since("2.90")] = UNSET
    pinned_zone: Annotated[Name | UnsetType | None, Since("2.104")] = msgspec.field(
        name="pinned_availability_zone", default=UNSET
    )


async def show(call: Call, server_id: str) -> Any:
    """One server."""
    queries.only(call, since="2.102")

    def work(tx: Transaction) -> tuple[Server, Surroundings]:
        server = servers.get(tx, call.context, server_id)
        return server, surroundings(tx, call, [server])

    server, around = await call.read(work)
    return server_views.detailed(call, [server], around, alone=True)[0]


async def update(call: Call, server_id: str, body: ServerUpdate) -> Any:
    """Change what a server is called and described as."""
    changes = {
        column: value
        for column, value in (
            ("name", body.name.strip() if isinstance(body.name, str) else UNSET),
            ("access_ip_v4", _address(body.access_ip_v4, "accessIPv4")),
            ("access_ip_v6", _address(body.access_ip_v6, "accessIPv6")),
            ("disk_config", body.disk_config),
            ("description", body.description),
            ("hostname", check_hostname(call, body.hostname)),
        )
        if value is not UNSET
    }

    def work(tx: Transaction) -> Server:
        server = servers.get(tx, call.context, server_id)
        if body.pinned_zone is not UNSET:
            server = zones.pin(tx, server, body.pinned_zone)
        return records.change(tx, server, **changes, updated_at=tx.now) if changes else server

    server = await call.write(work)
    view = server_views.detailed(call, [server], await surroundings_of(call, [server]), alone=True)[0]
    return server_views.as_changed(call, view)


def _address(said: str | UnsetType, field: str) -> str | UnsetType | None:
    return UNSET if isinstance(said, UnsetType) else check_address(said, field)


async def delete(call: Call, server_id: str) -> None:
    """Delete a server, for the time being where that is wished; one that is being deleted already needs nothing more."""

    def work(tx: Transaction) -> None:
        server = servers.get(tx, call.context, server_id)
        if call.world.options.reclaim_instance_interval > 0 and deferred_deletes.restorable(server):
            deferred.begin(tx, call, server)
        else:
            deferred.begin_final(tx, call, server)

    await call.write(work)


routes = [
    Get("/servers/{server_id}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN),
    Put("/servers/{server_id}", update, policy=f"{POLICY}:update", allow=PROJECT_MEMBER_OR_ADMIN),
    Delete("/servers/{server_id}", delete, policy=f"{POLICY}:delete", allow=PROJECT_MEMBER_OR_ADMIN),
]  # fmt: skip
