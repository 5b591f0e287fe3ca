"""Further actions on volumes: another type, another place."""

from typing import Annotated, Literal

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.microversions import Since
from minicloud.api.routes import Action
from minicloud.api.volume import values
from minicloud.api.volume.values import Flag
from minicloud.api.volume.volume_actions import PATH
from minicloud.base.errors import Invalid, NotFound
from minicloud.conductor.volume.apply_qos import ApplyQos
from minicloud.conductor.volume.retype_volume import RetypeVolume
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import backends, retypes, types, volumes

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
        changed = retypes.retype(tx, volume, kind)
        if changed.status == volumes.RETYPING:
            call.begin(tx, RetypeVolume(volume_id=changed.id, type_id=kind.id))
        elif changed.status == volumes.IN_USE:
            call.begin(tx, ApplyQos(volume_ids=[changed.id]))

    await call.write(work)


async def migrate(call: Call, volume_id: str, body: Migrate) -> None:
    """Move it to another backend, where there is one."""
    for name in ("force_host_copy", "lock_volume"):
        values.truth(name, getattr(body, name))
    host = body.host
    if not host:
        raise Invalid("Invalid input received: Host or cluster must be specified.")
    up = await call.world.servicegroup.is_up(backends.member(host))

    def work(tx: Transaction) -> None:
        retypes.refuse_migration(tx, volumes.get(tx, call.context, volume_id), host, is_up=up)

    await call.read(work)


async def complete_migration(call: Call, volume_id: str, body: MigrateCompletion) -> None:
    """No volume is ever halfway between two backends."""
    await call.read(lambda tx: volumes.get(tx, call.context, volume_id))
    raise volumes.refused("Source volume not mid-migration.")


routes = [
    Action("os-retype", retype, path=PATH, policy="volume:retype", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("os-migrate_volume", migrate, path=PATH, policy=f"{ADMIN_POLICY}:migrate_volume", allow=ADMIN),
    Action(
        "os-migrate_volume_completion",
        complete_migration,
        path=PATH,
        policy=f"{ADMIN_POLICY}:migrate_volume_completion",
        allow=ADMIN,
    ),
]
