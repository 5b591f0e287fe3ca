"""Services of compute, one for each host and kind (``/os-services``)."""

from typing import Annotated, Any, Literal

import msgspec

from minicloud.api.bodies import Body, Name
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.compute.words import Hostname, Truth, truth
from minicloud.api.microversions import NotNull, Since
from minicloud.api.routes import Delete, Get, Put
from minicloud.base.errors import Invalid, NotFound
from minicloud.core.compute import hosts, retirement
from minicloud.core.compute.hosts import Service
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction

LEFTOVERS = "leftovers"
"""The repair that removes from hosts what belongs to nobody there."""
POLICY = "os_compute_api:os-services"


class ServiceView(Body):
    """A service. Its id is a number before 2.53 and a UUID since."""

    binary: str
    host: str
    id: int | str
    zone: str
    status: Literal["enabled", "disabled"]
    state: Literal["up", "down"]
    updated_at: str | None
    disabled_reason: str | None
    forced_down: Annotated[bool, Since("2.11")]


class ServiceUpdate(Body):
    """The body of PUT /os-services/{id}, since 2.53."""

    status: Annotated[Literal["enabled", "disabled"] | None, NotNull()] = None
    disabled_reason: Annotated[Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None, NotNull()] = None
    forced_down: Annotated[bool | Truth | None, NotNull()] = None


class OldUpdate(Body):
    """The body of PUT /os-services/enable and its likes, before 2.53."""

    host: Hostname
    binary: Name
    disabled_reason: Annotated[Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None, NotNull()] = None
    forced_down: Annotated[bool | Truth | None, Since("2.11"), NotNull()] = None


async def index(call: Call) -> Any:
    """All services, by host or binary if the caller says."""
    queries.only(call, "host", "binary")
    alive = await call.world.servicegroup.members()
    found = await call.read(hosts.services)
    host, binary = call.parameter("host"), call.parameter("binary")
    views = []
    for service in found:
        if (host is None or service.host == host) and (binary is None or service.binary == binary):
            beat = alive.get(f"{service.binary}@{service.host}")
            views.append(
                _view(call, service, up=beat is not None and beat.up, seen=None if beat is None else beat.seen)
            )
    return {"services": views}


def _view(call: Call, service: Service, *, up: bool, seen: str | None) -> ServiceView:
    return ServiceView(
        binary=service.binary,
        host=service.host,
        id=service.uuid if call.at_least("2.53") else service.id,
        zone=service.zone if service.binary == hosts.COMPUTE else hosts.INTERNAL_ZONE,
        status="disabled" if service.disabled else "enabled",
        state="up" if up and not service.forced_down else "down",
        updated_at=seen or service.updated_at,
        disabled_reason=service.disabled_reason,
        forced_down=service.forced_down,
    )


async def update(call: Call, service_id: str, body: ServiceUpdate) -> Any:
    """Enable, disable, or force down a service, by its UUID."""
    queries.check_uuid(service_id)
    if body.disabled_reason is not None and body.status != "disabled":
        raise Invalid("Specifying disabled_reason requires that status is disabled.")
    if body.status is None and body.forced_down is None:
        raise Invalid("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    changes: dict[str, Any] = {}
    if body.status is not None:
        changes = {"disabled": body.status == "disabled", "disabled_reason": body.disabled_reason}
    if body.forced_down is not None:
        changes["forced_down"] = truth("forced_down", body.forced_down)

    def work(tx: Transaction) -> Service:
        found = [s for s in hosts.services(tx) if s.uuid == service_id]
        if not found:
            raise NotFound(f"Service {service_id} not found.")
        if found[0].binary != hosts.COMPUTE:
            raise Invalid(
                f"Updating a {found[0].binary} service is not supported. Only nova-compute services can be updated."
            )
        return hosts.change_service(tx, found[0], **changes)

    service = await call.write(work)
    _look_at_who_returned(call, changes)
    up = await call.world.servicegroup.is_up(f"{service.binary}@{service.host}")
    return {"service": _view(call, service, up=up, seen=service.updated_at)}


async def delete(call: Call, service_id: str) -> None:
    """Forget a service: by number before 2.53, by UUID since."""
    if call.at_least("2.53"):
        queries.check_uuid(service_id)
    elif not service_id.isdigit():
        raise Invalid(f"Invalid input received: id must be an integer: {service_id}")

    def work(tx: Transaction) -> None:
        found = [s for s in hosts.services(tx) if service_id == (s.uuid if call.at_least("2.53") else str(s.id))]
        if not found:
            raise NotFound(f"Service {service_id} not found.")
        retirement.retire(tx, found[0])

    # Its heart goes on beating where its host still runs: such a host registers anew when it starts again.
    await call.write(work)


def _look_at_who_returned(call: Call, changes: dict[str, Any]) -> None:
    # What was evacuated from it may still run there, with the addresses that its successor has now.
    if changes.get("forced_down") is False:
        call.means.poke(LEFTOVERS)


async def _old(call: Call, body: OldUpdate, **changes: Any) -> Any:
    if body.binary != hosts.COMPUTE:
        raise Invalid(f"Updating a {body.binary} service is not supported. Only nova-compute services can be updated.")

    def work(tx: Transaction) -> Service:
        service = hosts.service_of(tx, body.host, body.binary)
        if service is None:
            raise NotFound(f"Could not find binary {body.binary} on host {body.host}.")
        return hosts.change_service(tx, service, **changes)

    service = await call.write(work)
    _look_at_who_returned(call, changes)
    document: dict[str, Any] = {"host": service.host, "binary": service.binary}
    if "forced_down" in changes:
        document["forced_down"] = service.forced_down
    else:
        document["status"] = "disabled" if service.disabled else "enabled"
    if service.disabled_reason is not None:
        document["disabled_reason"] = service.disabled_reason
    return {"service": document}


async def enable(call: Call, body: OldUpdate) -> Any:
    """Let the scheduler use the host again."""
    return await _old(call, body, disabled=False, disabled_reason=None)


async def disable(call: Call, body: OldUpdate) -> Any:
    """Keep new servers off the host."""
    return await _old(call, body, disabled=True, disabled_reason=None)


async def disable_log_reason(call: Call, body: OldUpdate) -> Any:
    """Keep new servers off the host, and say why."""
    if body.disabled_reason is None:
        raise Invalid("Missing disabled reason field")
    return await _old(call, body, disabled=True, disabled_reason=body.disabled_reason)


async def force_down(call: Call, body: OldUpdate) -> Any:
    """Declare the host dead, so that its servers may be evacuated at once."""
    if body.forced_down is None:
        raise Invalid("Missing forced_down field")
    return await _old(call, body, forced_down=truth("forced_down", body.forced_down))


routes = [
    Get("/os-services", index, policy=f"{POLICY}:list", allow=ADMIN),
    Put("/os-services/enable", enable, policy=f"{POLICY}:update", allow=ADMIN, until="2.52"),
    Put("/os-services/disable", disable, policy=f"{POLICY}:update", allow=ADMIN, until="2.52"),
    Put("/os-services/disable-log-reason", disable_log_reason, policy=f"{POLICY}:update", allow=ADMIN, until="2.52"),
    Put("/os-services/force-down", force_down, policy=f"{POLICY}:update", allow=ADMIN, since="2.11", until="2.52"),
    Put("/os-services/{service_id}", update, policy=f"{POLICY}:update", allow=ADMIN, since="2.53"),
    Delete("/os-services/{service_id}", delete, policy=f"{POLICY}:delete", allow=ADMIN),
]
