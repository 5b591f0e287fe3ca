"""What backends say of themselves over HTTP: pools, capabilities, zones; and clusters, of which there are none."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Get, Post, Put
from minicloud.api.volume import values
from minicloud.base.errors import Invalid, NotFound
from minicloud.core import records
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import backends, types
from minicloud.core.volume.backends import OVERSUBSCRIPTION, Backend
from minicloud.core.volume.types import VolumeType

VENDOR = "Open Source"
DRIVER_VERSION = "1.0"
_CLUSTER_FILTERS = ("name", "binary", "is_up", "disabled", "num_hosts", "num_down_hosts")
_CLUSTER_REPLICATION = ("replication_status", "frozen", "active_backend_id")
_STATES = ("", "true", "false", "1", "0")
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


def capabilities(backend: Backend, promised: int) -> dict[str, Any]:
    """What a backend offers. Sizes in GiB."""
    return {
        "volume_backend_name": backend.pool,
        "vendor_name": VENDOR,
        "driver_version": DRIVER_VERSION,
        "storage_protocol": "file",
        "pool_name": backend.pool,
        "total_capacity_gb": backend.total_gb,
        "free_capacity_gb": backend.free_gb,
        "allocated_capacity_gb": promised,
        "provisioned_capacity_gb": promised,
        "reserved_percentage": 0,
        "max_over_subscription_ratio": str(float(OVERSUBSCRIPTION)),
        "thin_provisioning_support": True,
        "thick_provisioning_support": False,
        "QoS_support": True,
        "multiattach": True,
        "replication_enabled": False,
        "consistent_group_snapshot_enabled": True,
        "consistencygroup_support": True,
        "online_extend_support": True,
        "backend_state": "up",
        "filter_function": None,
        "goodness_function": None,
        "location_info": backend.uuid,
        "timestamp": backend.updated_at,
    }


async def pools(call: Call) -> Any:
    """The pools of all backends that are up."""
    detail = values.parameter("detail", call.parameter("detail"))
    name = call.parameter("name") if call.at_least("3.28") else None
    wanted_type = call.parameter("volume_type") if call.at_least("3.35") else None
    wanted = [(key, value) for key, value in call.parameters if key not in ("detail", "name", "volume_type")]

    def work(tx: Transaction) -> tuple[list[Backend], dict[str, int], VolumeType | None]:
        found = None if wanted_type is None else types.named(tx, wanted_type)
        return backends.every(tx), backends.promised_gb(tx), found

    found, promised, kind = await call.read(work)
    shown: list[dict[str, Any]] = []
    for backend in found:
        if name is not None and backend.pool_host != name:
            continue
        if backend.disabled or not await call.world.servicegroup.is_up(backends.member(backend.host)):
            continue
        offered = capabilities(backend, promised.get(backend.pool_host, 0))
        if kind is not None and backends.lacks(backend, kind.extra_specs) is not None:
            continue
        if call.at_least("3.28") and any(str(offered.get(key)).lower() != value.lower() for key, value in wanted):
            continue
        shown.append({"name": backend.pool_host, **({"capabilities": offered} if detail else {})})
    return {"pools": shown}


async def show_capabilities(call: Call, host: str) -> Any:
    """What a backend can do."""
    backend = await call.read(lambda tx: records.find(tx, Backend, host))
    if backend is None:
        raise NotFound(f"Can't find service: {host}")
    return {
        "namespace": f"OS::Storage::Capabilities::{host}",
        "vendor_name": VENDOR,
        "volume_backend_name": backend.pool,
        "pool_name": None,
        "driver_version": DRIVER_VERSION,
        "storage_protocol": "file",
        "display_name": "Capabilities of minicloud's volumes",
        "description": "Sparse files whose copies take no time",
        "visibility": "public",
        "replication_targets": [],
        "properties": {
            "thin_provisioning": {
                "title": "Thin Provisioning",
                "description": "Volumes take room as they are written.",
                "type": "boolean",
            },
            "qos": {
                "title": "QoS",
                "description": "The hypervisor holds volumes to their types' specs.",
                "type": "boolean",
            },
        },
    }


async def zones(call: Call) -> Any:
    """The zones in which volumes can be."""

    def work(tx: Transaction) -> dict[str, bool]:
        found = dict.fromkeys(backends.zones(tx), False)
        for backend in backends.every(tx):
            found[backend.zone] = found.get(backend.zone, False) or not backend.disabled
        return found

    found = await call.read(work)
    shown = [{"zoneName": name, "zoneState": {"available": usable}} for name, usable in found.items()]
    return {"availabilityZoneInfo": shown}


class ClusterSwitch(Body):
    """The bodies of enabling and disabling a cluster."""

    name: Word
    binary: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    disabled_reason: Annotated[str, msgspec.Meta(max_length=255)] | None = None


async def clusters(call: Call) -> Any:
    """There are no clusters: each backend stands by itself."""
    allowed = _CLUSTER_FILTERS + (_CLUSTER_REPLICATION if call.at_least("3.26") else ())
    wrong = [name for name, _ in call.parameters if name not in allowed]
    if wrong:
        raise Invalid(f"Invalid input received: Invalid filter keys: {', '.join(wrong)}")
    for name, value in call.parameters:
        if name in ("disabled", "is_up"):
            values.truth(name, value.strip())
    return {"clusters": []}


async def cluster(call: Call, name: str) -> Any:
    """No cluster has this name."""
    raise NotFound(f"Cluster {name} could not be found.")


async def switch_cluster(call: Call, body: ClusterSwitch) -> Any:
    """No cluster has this name."""
    raise NotFound(f"Cluster {body.name} could not be found.")


class Cleanup(Body):
    """The body of POST /workers/cleanup."""

    cluster_name: str | None = None
    disabled: values.Flag | None = None
    host: str | None = None
    is_up: values.Flag | None = None
    binary: str | None = None
    resource_id: str | None = None
    resource_type: str | None = None
    service_id: int | str | None = None


async def cleanup(call: Call, body: Cleanup) -> Any:
    """Nothing waits to be cleaned up by hand: what a dead process left is taken up when it comes back."""
    if body.binary not in (None, "cinder-volume", "cinder-scheduler"):
        raise Invalid(f"Invalid input for field/attribute binary. Value: {body.binary}.", field="binary")
    if body.resource_type is not None and body.resource_type.title() not in ("Volume", "Snapshot"):
        raise Invalid(
            f"Invalid input received: Resource type {body.resource_type} not valid, must be Snapshot or Volume"
        )
    for name in ("disabled", "is_up"):
        values.truth(name, getattr(body, name))
    if body.resource_id and not (body.host or body.cluster_name or body.service_id):
        raise Invalid(f"Invalid input received: There is no resource with UUID {body.resource_id} pending cleanup.")
    return {"cleaning": [], "unavailable": []}


_STATS = "scheduler_extension:scheduler_stats:get_pools"
routes = [
    Get("/scheduler-stats/get_pools", pools, policy=_STATS, allow=ADMIN),
    Get("/capabilities/{host}", show_capabilities, policy="volume_extension:capabilities", allow=ADMIN),
    Get("/os-availability-zone", zones, policy=None),
    Get("/clusters", clusters, since="3.7", policy="clusters:get_all", allow=ADMIN),
    Get("/clusters/detail", clusters, since="3.7", policy="clusters:get_all", allow=ADMIN),
    Get("/clusters/{name}", cluster, since="3.7", policy="clusters:get", allow=ADMIN),
    Put("/clusters/enable", switch_cluster, since="3.7", policy="clusters:update", allow=ADMIN),
    Put("/clusters/disable", switch_cluster, since="3.7", policy="clusters:update", allow=ADMIN),
    Post("/workers/cleanup", cleanup, since="3.24", policy="workers:cleanup", allow=ADMIN, status=202),
]
