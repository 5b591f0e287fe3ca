"""Storage backends: where volumes can be, what room they have, and which one takes a new volume.

A volume's ``host`` is ``machine@backend#pool``; a backend has one pool, named as itself. The one that every cloud has is named
as its driver.
"""

from collections.abc import Callable, Collection, Mapping
from typing import ClassVar

from minicloud.base import trace
from minicloud.base.errors import NoValidHost
from minicloud.core import operators, records
from minicloud.engines.database import Transaction

DEFAULT_ZONE = "nova"
OVERSUBSCRIPTION = 20
"""Volumes are sparse: so many times the room that is there may be promised (Cinder's max_over_subscription_ratio)."""


class Backend(records.Record, kw_only=True):
    """A backend by its ``machine@backend``. Sizes in GiB."""

    TABLE = "volume_backends"
    KEY: ClassVar[tuple[str, ...]] = ("host",)
    MISSING: ClassVar[str] = "Service {id} could not be found."

    host: str
    uuid: str
    pool: str
    zone: str = DEFAULT_ZONE
    driver: str
    total_gb: int
    free_gb: int
    disabled: bool = False
    disabled_reason: str | None = None
    created_at: str
    updated_at: str

    @property
    def pool_host(self) -> str:
        """How volumes name it."""
        return f"{self.host}#{self.pool}"


def member(host: str) -> str:
    """The name under which the backend of ``machine@backend`` or ``machine@backend#pool`` beats in the servicegroup."""
    return f"cinder-volume@{host.partition('#')[0]}"


def register(tx: Transaction, host: str, *, driver: str, total_gb: int, free_gb: int) -> Backend:
    """Write down what a backend reports of itself."""
    known = records.find(tx, Backend, host)
    if known is not None:
        return records.change(tx, known, driver=driver, total_gb=total_gb, free_gb=free_gb, updated_at=tx.now)
    made = Backend(
        host=host,
        uuid=tx.ids.uuid(),
        pool=host.partition("@")[2],
        driver=driver,
        total_gb=total_gb,
        free_gb=free_gb,
        created_at=tx.now,
        updated_at=tx.now,
    )
    return records.insert(tx, made)


def every(tx: Transaction) -> list[Backend]:
    """All backends by name."""
    return records.select(tx, Backend, "1 = 1 ORDER BY host")


def of_host(tx: Transaction, host: str | None) -> Backend | None:
    """The backend that a volume's ``machine@backend#pool`` names."""
    return None if host is None else records.find(tx, Backend, host.partition("#")[0])


def zones(tx: Transaction) -> list[str]:
    """The availability zones in which volumes can be."""
    return sorted({backend.zone for backend in every(tx)} | {DEFAULT_ZONE})


def promised_gb(tx: Transaction) -> dict[str, int]:
    """GiB that the volumes of each ``machine@backend#pool`` add up to."""
    return dict(
        tx.all("SELECT host, sum(size + growing_gb) FROM volumes WHERE host IS NOT NULL GROUP BY host"),
    )


VENDOR = "Open Source"


def offers(backend: Backend) -> dict[str, str]:
    """What a backend is, by the names with which volume types ask for it."""
    return {
        "volume_backend_name": backend.pool,
        "pool_name": backend.pool,
        "vendor_name": VENDOR,
        "storage_protocol": "file",
        "driver_version": "1.0",
        "thin_provisioning_support": "True",
        "thick_provisioning_support": "False",
        "QoS_support": "True",
        "multiattach": "True",
        "replication_enabled": "False",
        "consistent_group_snapshot_enabled": "True",
        "online_extend_support": "True",
        "total_capacity_gb": str(backend.total_gb),
        "free_capacity_gb": str(backend.free_gb),
    }


def lacks(backend: Backend, extra_specs: Mapping[str, str]) -> str | None:
    """The first extra spec of a volume type that a backend does not meet; specs of other scopes ask nothing of it."""
    there = offers(backend)
    for name, wanted in extra_specs.items():
        scope, _, rest = name.rpartition(":")
        if scope not in ("", "capabilities"):
            continue
        if rest not in there or not operators.meets(there[rest], wanted):
            return f"{name} is {there.get(rest)}, not {wanted}"
    return None


def choose(
    tx: Transaction,
    *,
    size_gb: int,
    zone: str | None,
    extra_specs: Mapping[str, str],
    is_up: Callable[[str], bool],
    only: str | None = None,
    tried: Collection[str] = (),
    leaving: str | None = None,
) -> Backend:
    """The backend for a volume: the one with most room left of those that fit.

    Args:
        extra_specs: what the volume's type asks for.
        is_up: whether the backend of this name is alive.
        only: the one that it has to be (``machine@backend``, with its pool or without).
        tried: those that failed to make it.
        leaving: the one on which it is, and shall not stay.

    Raises:
        NoValidHost: in Cinder's words; the trace has why each was passed over.
    """
    promised = promised_gb(tx)
    fit: list[tuple[int, Backend]] = []
    for backend in every(tx):
        if only is not None and only not in (backend.host, backend.pool_host):
            continue
        left = backend.total_gb * OVERSUBSCRIPTION - promised.get(backend.pool_host, 0)
        if backend.pool_host in tried:
            refused: tuple[str, str] | None = ("IgnoreAttemptedHostsFilter", "it failed to make the volume")
        elif backend.pool_host == leaving:
            refused = ("migration", "the volume is there already")
        else:
            refused = _refusal(backend, left, size_gb=size_gb, zone=zone, extra_specs=extra_specs, is_up=is_up)
        name, why = refused or ("", "")
        trace.note("backend", host=backend.host, passed=refused is None, filter=name, why=why, left_gb=left)
        if refused is None:
            fit.append((left, backend))
    if not fit:
        raise NoValidHost("No valid backend was found. No weighed backends available")
    # Of several with as much room the first by name; that of every cloud stands before its others.
    best = max(fit, key=lambda found: (found[0], found[1].driver == found[1].pool))
    trace.note("backend_selected", host=best[1].host, of=len(fit), left_gb=best[0])
    return best[1]


def _refusal(
    backend: Backend,
    left_gb: int,
    *,
    size_gb: int,
    zone: str | None,
    extra_specs: Mapping[str, str],
    is_up: Callable[[str], bool],
) -> tuple[str, str] | None:
    """The first of Cinder's filters that does not let a backend pass, and why; None when all do."""
    if backend.disabled:
        return "service", "it is disabled"
    if not is_up(backend.host):
        return "service", "it does not beat"
    if zone is not None and backend.zone != zone:
        return "AvailabilityZoneFilter", f"it is in zone {backend.zone}, not {zone}"
    if left_gb < size_gb:
        return "CapacityFilter", f"{left_gb} GiB are left to promise, {size_gb} are asked for"
    lack = lacks(backend, extra_specs)
    return None if lack is None else ("CapabilitiesFilter", lack)


def held(tx: Transaction, host: str) -> list[tuple[str, int, int, int, int]]:
    """What each project has on the backend ``machine@backend``: volumes and their GiB, snapshots and their GiB."""
    found: dict[str, list[int]] = {}
    on_it = [f"{host}#", f"{host}$"]
    for project, count, size in tx.all(
        "SELECT project_id, count(*), sum(size) FROM volumes WHERE host >= ? AND host < ? GROUP BY project_id", on_it
    ):
        found[project] = [count, size, 0, 0]
    for project, count, size in tx.all(
        "SELECT s.project_id, count(*), sum(s.volume_size) FROM volume_snapshots s JOIN volumes v ON v.id = s.volume_id "
        "WHERE v.host >= ? AND v.host < ? GROUP BY s.project_id",
        on_it,
    ):
        found.setdefault(project, [0, 0, 0, 0])[2:] = [count, size]
    return [
        (project, count, size, snapshots, held) for project, (count, size, snapshots, held) in sorted(found.items())
    ]
