"""The services of block storage as administrators see them: backends, and those that live in this very process."""

import msgspec

from minicloud.base.errors import Invalid, NotFound
from minicloud.core import records
from minicloud.core.volume import backends
from minicloud.core.volume.backends import DEFAULT_ZONE, Backend
from minicloud.engines.database import Transaction

VOLUME, SCHEDULER, BACKUP = "cinder-volume", "cinder-scheduler", "cinder-backup"
CONTROL = "control"
"""The host that this process calls itself where it is no compute host."""
FROZEN = "frozen"
"""Why a service is disabled whose backend was frozen."""


class VolumeService(msgspec.Struct, frozen=True, kw_only=True):
    """A service. Of this process's own, ``updated_at`` is now."""

    binary: str
    host: str
    zone: str = DEFAULT_ZONE
    disabled: bool = False
    disabled_reason: str | None = None
    updated_at: str


def every(tx: Transaction) -> list[VolumeService]:
    """All services by name."""
    changed = {
        (row[0], row[1]): row for row in tx.all("SELECT binary, host, disabled, disabled_reason FROM volume_services")
    }
    found = [_of_backend(backend) for backend in backends.every(tx)]
    for binary in (SCHEDULER, BACKUP):
        row = changed.get((binary, CONTROL))
        found.append(
            VolumeService(
                binary=binary,
                host=CONTROL,
                disabled=row is not None and bool(row[2]),
                disabled_reason=None if row is None else row[3],
                updated_at=tx.now,
            )
        )
    return sorted(found, key=lambda service: (service.binary, service.host))


def _of_backend(backend: Backend) -> VolumeService:
    return VolumeService(
        binary=VOLUME,
        host=backend.host,
        zone=backend.zone,
        disabled=backend.disabled,
        disabled_reason=backend.disabled_reason,
        updated_at=backend.updated_at,
    )


def get(tx: Transaction, binary: str, host: str) -> VolumeService:
    """One service. Raises NotFound."""
    for service in every(tx):
        if (service.binary, service.host) == (binary, host):
            return service
    raise NotFound(f"Service {binary} could not be found on host {host}.")


def switch(tx: Transaction, binary: str, host: str, *, disabled: bool, reason: str | None) -> VolumeService:
    """Take a service into use, or out of it: no new volumes come to a disabled backend. Raises NotFound."""
    found = get(tx, binary, host)
    if binary == VOLUME:
        backend = records.get(tx, Backend, host)
        records.change(tx, backend, disabled=disabled, disabled_reason=reason, updated_at=tx.now)
    else:
        tx.execute(
            "INSERT INTO volume_services (binary, host, disabled, disabled_reason, updated_at) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (binary, host) DO UPDATE SET disabled = excluded.disabled, "
            "disabled_reason = excluded.disabled_reason, updated_at = excluded.updated_at",
            [binary, host, int(disabled), reason, tx.now],
        )
    return msgspec.structs.replace(found, disabled=disabled, disabled_reason=reason, updated_at=tx.now)


def freeze(tx: Transaction, host: str) -> None:
    """Nothing is managed on the backend any more. Raises Invalid when there is none, or it is frozen already."""
    if require_backend(tx, host).disabled_reason == FROZEN:
        raise unchanged(host, "frozen", "False")
    switch(tx, VOLUME, host, disabled=True, reason=FROZEN)


def thaw(tx: Transaction, host: str) -> None:
    """The backend is managed again. Raises Invalid when there is none, or it is not frozen."""
    if require_backend(tx, host).disabled_reason != FROZEN:
        raise unchanged(host, "frozen", "True")
    switch(tx, VOLUME, host, disabled=False, reason=None)


def unchanged(host: str, field: str, expected: str) -> Invalid:
    """The error for a backend of which something is not as an administrator's action takes it to be, in Cinder's words."""
    return Invalid(
        f"Invalid input received: No service could be changed: {field} in ['{host}'] must be {expected} to failover."
    )


def require_backend(tx: Transaction, host: str) -> Backend:
    """A backend. Raises Invalid, in Cinder's words, where there is none."""
    found = records.find(tx, Backend, host)
    if found is None:
        raise Invalid(f"No service found with host={host}")
    return found
