"""Further actions on volumes: another type, another place."""

from typing import Annotated, Any, Literal

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.microversions import Since
from minicloud.api.routes import Action
from minicloud.api.volume import values
from minicloud.api.volume.values import Flag
from minicloud.api.volume.volume_actions import PATH
from minicloud.base.errors import Invalid, NotFound
from minicloud.conductor.volume import migrate_volume
from minicloud.conductor.volume.apply_qos import ApplyQos
from minicloud.conductor.volume.migrate_volume import MigrateVolume
from minicloud.conductor.volume.retype_volume import RetypeVolume
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import backends, migrations, retypes, types, volumes

ADMIN_POLICY = "volume_extension:volume_admin_actions"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Retype(Body):
    """The body of ``os-retype``."""

    new_type: Name
    migration_policy: Literal["on-demand", "never"] | None = None


class Migrate(Body):
    """The body of ``os-migrate_volume``."""

    host: str | None = None
    force_host_copy: Flag | None = None
    lock_volume: Flag | None = None
    cluster: Annotated[str | None, Since("3.16")] = None


class MigrateCompletion(Body):
    """The body of ``os-migrate_volume_completion``."""

    new_volume: str
    error: Flag | None = None


async def retype(call: Call, volume_id: str, body: Retype) -> None:
    """Give it another type; guests that have it are held to that type's speed at once."""

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        try:
            kind = types.get(tx, call.context, body.new_type)
        except NotFound as error:
            raise Invalid(f"Invalid input received: Invalid volume_type passed: {body.new_type}.") from error
        changed = retypes.retype(tx, volume, kind, migrate=body.migration_policy == "on-demand")
        if changed.migration_status == migrations.STARTING:
            _check_still(tx, volume.id)
            call.begin(tx, MigrateVolume(volume_id=changed.id, type_id=kind.id))
        elif changed.status == volumes.RETYPING:
            call.begin(tx, RetypeVolume(volume_id=changed.id, type_id=kind.id))
        elif changed.status == volumes.IN_USE:
            call.begin(tx, ApplyQos(volume_ids=[changed.id]))

    await call.write(work)


async def migrate(call: Call, volume_id: str, body: Migrate) -> None:
    """Move it to another backend, where there is one."""
    for name in ("force_host_copy", "lock_volume"):
        values.truth(name, getattr(body, name))
    if bool(body.host) == bool(body.cluster):
        clustered = call.at_least("3.16")
        words = "One and only one of cluster and host must be set." if clustered else "Host field is missing."
        raise Invalid(f"Invalid input received: {words}")
    # No backend is in a cluster: the name of one is that of no service.
    host = body.host or body.cluster or ""
    up = await call.world.servicegroup.is_up(backends.member(host)) and not body.cluster
    lock = values.truth("lock_volume", body.lock_volume)

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        _check_still(tx, volume.id)
        migrations.take(tx, volume, host, is_up=up, lock=lock)
        call.begin(tx, MigrateVolume(volume_id=volume.id, host=host))

    await call.write(work)


async def complete_migration(call: Call, volume_id: str, body: MigrateCompletion) -> Any:
    """Migrations come to their end by themselves, and none has a second volume that could be its destination."""

    def work(tx: Transaction) -> dict[str, str]:
        volume = volumes.get(tx, call.context, volume_id)
        other = volumes.get(tx, call.context, body.new_volume)
        if volume.migration_status is None and other.migration_status is None:
            if volume.attach_status != volumes.DETACHED:
                raise volumes.refused(
                    f"Volume {volume.id} is attached; another volume takes its place by no record alone."
                )
            return {"save_volume_id": other.id}
        if volume.migration_status is None:
            raise volumes.refused("Source volume not mid-migration.")
        if other.migration_status is None:
            raise volumes.refused("Destination volume not mid-migration.")
        raise volumes.refused(
            f"Destination has migration_status {other.migration_status}, expected target:{volume.id}."
        )

    return await call.read(work)


def _check_still(tx: Transaction, volume_id: str) -> None:
    if migrate_volume.under_way(tx, volume_id):
        raise volumes.refused(
            f"Volume {volume_id} must not be migrating: its last migration is still being taken back."
        )


routes = [
    Action("os-retype", retype, path=PATH, policy="volume:retype", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("os-migrate_volume", migrate, path=PATH, policy=f"{ADMIN_POLICY}:migrate_volume", allow=ADMIN),
    Action(
        "os-migrate_volume_completion",
        complete_migration,
        path=PATH,
        policy=f"{ADMIN_POLICY}:migrate_volume_completion",
        status=200,
        allow=ADMIN,
    ),
]
