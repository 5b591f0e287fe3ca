"""Extensions of the Block Storage API over HTTP, and which filters each listing takes."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Get
from minicloud.base.errors import NotFound

EXTENSIONS = """
os-admin-actions | AdminActions | 2012-08-25 | Administrators set states and delete by force.
os-availability-zone | AvailabilityZones | 2013-06-27 | The zones in which volumes can be.
backups | Backups | 2012-12-12 | Copies of volumes that outlive them.
capabilities | Capabilities | 2015-08-31 | What a backend can do.
cgsnapshots | Cgsnapshots | 2014-08-18 | The older name of groups' snapshots of one moment.
consistencygroups | Consistencygroups | 2014-08-18 | The older name of groups with such snapshots.
os-extended-services | ExtendedServices | 2014-01-10 | Why services are disabled.
os-extended-snapshot-attributes | ExtendedSnapshotAttributes | 2012-06-19 | Project and progress of snapshots.
os-hosts | Hosts | 2011-06-29 | The older view of services.
qos-specs | Qos_specs_manage | 2013-08-02 | How fast volumes may be.
os-quota-class-sets | QuotaClasses | 2012-03-12 | Quotas of classes.
os-quota-sets | Quotas | 2011-08-08 | Quotas of projects.
OS-SCH-HNT | SchedulerHints | 2013-04-18 | Wishes for where a volume shall be.
scheduler-stats | Scheduler_stats | 2014-09-07 | What the scheduler knows of backends.
os-services | Services | 2012-10-28 | The services and their states.
os-snapshot-actions | SnapshotActions | 2013-07-16 | Drivers tell how far a snapshot is.
os-snapshot-manage | SnapshotManage | 2014-12-31 | Snapshots that a backend has already become known.
os-snapshot-unmanage | SnapshotUnmanage | 2014-12-31 | Snapshots are forgotten without being deleted.
os-types-extra-specs | TypesExtraSpecs | 2011-08-24 | What volume types ask of backends.
os-types-manage | TypesManage | 2011-08-24 | Volume types are made and deleted.
os-used-limits | UsedLimits | 2013-10-03 | How much of limits is used.
os-volume-actions | VolumeActions | 2012-05-31 | Volumes are attached, extended, uploaded.
os-volume-encryption-metadata | VolumeEncryptionMetadata | 2013-07-10 | How a volume is encrypted.
os-vol-host-attr | VolumeHostAttribute | 2011-11-03 | Where a volume is.
os-vol-image-meta | VolumeImageMetadata | 2012-12-07 | What a volume took over from its image.
os-volume-manage | VolumeManage | 2014-02-10 | Volumes that a backend has already become known.
os-vol-mig-status-attr | VolumeMigStatusAttribute | 2013-08-08 | How far a migration is.
os-vol-tenant-attr | VolumeTenantAttribute | 2011-11-03 | Whose a volume is.
os-volume-transfer | VolumeTransfer | 2013-05-29 | Volumes change hands.
os-volume-type-access | VolumeTypeAccess | 2014-06-26 | Who may use a private type.
encryption | VolumeTypeEncryption | 2013-07-01 | How volumes of a type are encrypted.
os-volume-unmanage | VolumeUnmanage | 2012-05-31 | Volumes are forgotten without being deleted.
"""

FILTERS = {
    "volume": (
        *("name", "status", "metadata", "bootable", "migration_status", "availability_zone", "group_id", "size"),
        *("created_at", "updated_at", "consumes_quota"),
    ),
    "backup": ("name", "status", "volume_id"),
    "snapshot": ("name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"),
    "group": ("name",),
    "group_snapshot": ("name", "status", "group_id"),
    "attachment": ("volume_id", "status", "instance_id", "attach_status"),
    "message": ("resource_uuid", "resource_type", "event_id", "request_id", "message_level"),
    "pool": ("name", "volume_type"),
    "volume_type": ("is_public", "extra_specs"),
}
"""The filters that everybody may use: upstream's own choice."""


def _known() -> dict[str, dict[str, Any]]:
    lines = [[word.strip() for word in line.split("|")] for line in EXTENSIONS.strip().splitlines()]
    return {
        alias: {
            "alias": alias,
            "name": name,
            "updated": f"{day}T00:00:00+00:00",
            "description": about,
            "links": [],
        }
        for alias, name, day, about in lines
    }


async def index(call: Call) -> Any:
    """All extensions."""
    return {"extensions": list(_known().values())}


async def show(call: Call, alias: str) -> Any:
    """One extension."""
    found = _known().get(alias)
    if found is None:
        raise NotFound("The resource could not be found.")
    return {"extension": found}


async def resource_filters(call: Call) -> Any:
    """The filters of all listings, or of one."""
    wanted = call.parameter("resource")
    shown = [
        {"resource": name, "filters": list(filters)}
        for name, filters in FILTERS.items()
        if wanted is None or name == wanted
    ]
    return {"resource_filters": shown}


routes = [
    Get("/extensions", index, policy=None),
    Get("/extensions/{alias}", show, policy=None),
    Get("/resource_filters", resource_filters, since="3.33", policy=None),
]
