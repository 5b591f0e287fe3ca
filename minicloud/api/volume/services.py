"""Services of block storage over HTTP, and the older view of them as hosts."""

import logging
from typing import Annotated, Any, Literal

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Get, Put
from minicloud.base.errors import Invalid, NotFound
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import backends, services
from minicloud.core.volume.services import FROZEN, VOLUME, VolumeService

POLICY = "volume_extension:services"
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Maybe = Annotated[str, msgspec.Meta(max_length=255)]
API = "cinder-api"
_LEVELS = ("INFO", "WARNING", "ERROR", "DEBUG")
_BINARIES = ("", "*", services.VOLUME, services.SCHEDULER, services.BACKUP, API)
_LOGGERS = {"cinder": "minicloud"}
"""What upstream's names of loggers are here."""


class Switch(Body):
    """The bodies of enable, disable and disable-log-reason."""

    host: Word
    binary: Word | None = None
    service: Word | None = None
    cluster: Maybe | None = None
    disabled_reason: Word | None = None


class OfHost(Body):
    """The bodies of freeze, thaw and failover."""

    host: Maybe | None = None
    cluster: Maybe | None = None
    backend_id: Maybe | None = None


class Logs(Body):
    """The bodies of set-log and get-log."""

    binary: Maybe | None = None
    server: Maybe | None = None
    prefix: Maybe | None = None
    level: Maybe | None = None


async def _alive(call: Call, service: VolumeService) -> bool:
    # What is no backend lives in the process that answers this.
    return service.binary != VOLUME or await call.world.servicegroup.is_up(backends.member(service.host))


async def index(call: Call) -> Any:
    """All services, or those of a host or binary."""
    host, binary = call.parameter("host"), call.parameter("binary")
    shown = []
    for service in await call.read(services.every):
        if (host and not _is_of(service.host, host)) or (binary and service.binary != binary):
            continue
        alive = await _alive(call, service)
        one: dict[str, Any] = {
            "binary": service.binary,
            "host": service.host,
            "zone": service.zone,
            "status": "disabled" if service.disabled else "enabled",
            "state": "up" if alive else "down",
            "updated_at": service.updated_at,
            "disabled_reason": service.disabled_reason,
        }
        if service.binary == VOLUME:
            one |= {
                "replication_status": "disabled",
                "active_backend_id": None,
                "frozen": service.disabled_reason == FROZEN,
            }
            if call.at_least("3.49"):
                one["backend_state"] = "up" if alive else "down"
        if call.at_least("3.7"):
            one["cluster"] = None
        shown.append(one)
    return {"services": shown}


def _is_of(host: str, wanted: str) -> bool:
    return host == wanted or host.partition("@")[0] == wanted


async def enable(call: Call, body: Switch) -> Any:
    """New volumes may come."""
    found = await _switch(call, body, disabled=False, reason=None)
    return _switched(body, found)


async def disable(call: Call, body: Switch) -> Any:
    """No new volumes come."""
    return _switched(body, await _switch(call, body, disabled=True, reason=None))


async def disable_log_reason(call: Call, body: Switch) -> Any:
    """No new volumes come, and everybody reads why."""
    reason = (body.disabled_reason or "").strip()
    if not reason:
        raise Invalid("Invalid input for field/attribute disabled_reason. It has to say why", field="disabled_reason")
    found = await _switch(call, body, disabled=True, reason=reason)
    return {**_switched(body, found), "disabled_reason": reason}


async def _switch(call: Call, body: Switch, *, disabled: bool, reason: str | None) -> VolumeService:
    binary = body.binary or body.service
    if binary is None:
        raise Invalid("Invalid input for field/attribute binary. 'binary' is a required property", field="binary")
    return await call.write(lambda tx: services.switch(tx, binary, body.host, disabled=disabled, reason=reason))


def _switched(body: Switch, found: VolumeService) -> dict[str, Any]:
    return {
        "host": found.host,
        "service": body.service or "",
        "binary": found.binary,
        "disabled": found.disabled,
        "status": "disabled" if found.disabled else "enabled",
    }


def _host(body: OfHost) -> str:
    if not body.host:
        raise Invalid("Invalid input received: Host or cluster must be specified.")
    return body.host


async def freeze(call: Call, body: OfHost) -> None:
    """Nothing is managed on a backend any more."""
    host = _host(body)
    await call.write(lambda tx: services.freeze(tx, host))


async def thaw(call: Call, body: OfHost) -> None:
    """A backend is managed again."""
    host = _host(body)
    await call.write(lambda tx: services.thaw(tx, host))


async def failover(call: Call, body: OfHost) -> None:
    """No backend has another one to fail over to."""
    host = _host(body)

    await call.read(lambda tx: services.require_backend(tx, host))
    raise services.unchanged(host, "replication_status", "['enabled', 'failed-over'] and must be up")


def _loggers(body: Logs) -> dict[str, logging.Logger]:
    if (body.binary or "") not in _BINARIES:
        raise Invalid(f"Invalid input for field/attribute binary. Value: {body.binary}.", field="binary")
    prefix = _LOGGERS.get(body.prefix or "minicloud", body.prefix or "minicloud")
    known = [name for name in logging.root.manager.loggerDict if name == prefix or name.startswith(f"{prefix}.")]
    return {name: logging.getLogger(name) for name in sorted({*known, prefix})}


async def set_log(call: Call, body: Logs) -> None:
    """How much this process says in its log."""
    level = (body.level or "").upper()
    if level not in _LEVELS:
        raise Invalid(f"Invalid input received: {body.level or ''} is not a valid log level.")
    for logger in _loggers(body).values():
        logger.setLevel(level)


async def get_log(call: Call, body: Logs) -> Any:
    """How much this process says in its log: it is all of the services that are up."""
    levels = {name: logging.getLevelName(logger.getEffectiveLevel()) for name, logger in _loggers(body).items()}
    found = [(API, services.CONTROL)] if not body.server or body.server == services.CONTROL else []
    for service in await call.read(services.every):
        if (not body.server or _is_of(service.host, body.server)) and await _alive(call, service):
            found.append((service.binary, service.host))
    wanted = None if body.binary in (None, "", "*") else body.binary
    shown = [(binary, host) for binary, host in found if wanted in (None, binary)]
    return {"log_levels": [{"binary": binary, "host": host, "levels": levels} for binary, host in shown]}


class HostUpdate(Body):
    """The body of PUT /os-hosts/{host}."""

    status: Literal["enable", "disable"]


_TOPICS = {services.VOLUME: "cinder-volume", services.SCHEDULER: "cinder-scheduler", services.BACKUP: "cinder-backup"}


async def hosts(call: Call) -> Any:
    """All services that are in use, as hosts."""
    zone = call.parameter("zone")
    shown = []
    for service in await call.read(services.every):
        if service.disabled or (zone and service.zone != zone):
            continue
        shown.append(
            {
                "host_name": service.host,
                "service": _TOPICS[service.binary],
                "zone": service.zone,
                "service-status": "available" if await _alive(call, service) else "unavailable",
                "service-state": "enabled",
                "last-update": service.updated_at,
            }
        )
    return {"hosts": shown}


async def host(call: Call, host: str) -> Any:
    """How much a backend holds, in all and of each project."""

    def work(tx: Transaction) -> list[tuple[str, int, int, int, int]]:
        try:
            services.get(tx, VOLUME, host)
        except NotFound as error:
            raise NotFound(f"Host {host} could not be found.") from error
        return backends.held(tx, host)

    held = await call.read(work)
    total = ("(total)", *(sum(column) for column in zip(*(row[1:] for row in held), strict=True)))
    names = ("volume_count", "total_volume_gb", "snapshot_count", "total_snapshot_gb")
    shown = []
    for project, *numbers in (total if len(total) > 1 else ("(total)", 0, 0, 0, 0), *held):
        counted = {name: str(number) for name, number in zip(names, numbers, strict=True)}
        shown.append({"resource": {"host": host, "project": project, **counted}})
    return {"host": shown}


async def update_host(call: Call, host: str, body: HostUpdate) -> Any:
    """Take a backend into use, or out of it."""
    disabled = body.status == "disable"

    def work(tx: Transaction) -> None:
        try:
            services.switch(tx, VOLUME, host, disabled=disabled, reason=None)
        except NotFound as error:
            raise NotFound(f"Host {host} could not be found.") from error

    await call.write(work)
    return {"host": host, "status": "disabled" if disabled else "enabled"}


_HOSTS = "volume_extension:hosts"
routes = [
    Get("/os-services", index, policy=f"{POLICY}:index", allow=ADMIN),
    Put("/os-services/enable", enable, policy=f"{POLICY}:update", allow=ADMIN),
    Put("/os-services/disable", disable, policy=f"{POLICY}:update", allow=ADMIN),
    Put("/os-services/disable-log-reason", disable_log_reason, policy=f"{POLICY}:update", allow=ADMIN),
    Put("/os-services/freeze", freeze, policy="volume:freeze_host", allow=ADMIN),
    Put("/os-services/thaw", thaw, policy="volume:thaw_host", allow=ADMIN),
    Put("/os-services/failover_host", failover, policy="volume:failover_host", allow=ADMIN),
    Put("/os-services/failover", failover, since="3.26", policy="volume:failover_host", allow=ADMIN),
    Put("/os-services/set-log", set_log, since="3.32", policy=f"{POLICY}:update", allow=ADMIN, status=202),
    Put("/os-services/get-log", get_log, since="3.32", policy=f"{POLICY}:update", allow=ADMIN),
    Get("/os-hosts", hosts, policy=_HOSTS, allow=ADMIN),
    Get("/os-hosts/{host}", host, policy=_HOSTS, allow=ADMIN),
    Put("/os-hosts/{host}", update_host, policy=_HOSTS, allow=ADMIN),
]
