"""Further actions on volumes: another type, another place, what its image said of it."""

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
from minicloud.conductor.volume.apply_qos import ApplyQos
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import backends, retypes, types, volumes
from minicloud.core.volume.volumes import Volume

IMAGE_POLICY = "volume_extension:volume_image_metadata"
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


class ImageMetadata(Body):
    """The body of ``os-set_image_metadata``."""

    metadata: dict[str, str]


class ImageMetadataKey(Body):
    """The body of ``os-unset_image_metadata``."""

    key: Name


class Nothing(Body, open=True):
    """The body of ``os-show_image_metadata``, which may hold anything."""


async def retype(call: Call, volume_id: str, body: Retype) -> None:
    """Give it another type; guests that have it are held to that type's speed at once."""

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        try:
            kind = types.get(tx, call.context, body.new_type)
        except NotFound as error:
            raise Invalid(f"Invalid input received: Invalid volume_type passed: {body.new_type}.") from error
        changed = retypes.retype(tx, volume, kind)
        if changed.status == volumes.IN_USE:
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


async def set_image_metadata(call: Call, volume_id: str, body: ImageMetadata) -> Any:
    """Say more about the image that it could be of."""
    given = values.metadata(body.metadata)

    def work(tx: Transaction) -> Volume:
        volume = volumes.get(tx, call.context, volume_id)
        return volumes.change(tx, volume, image_metadata={**volume.image_metadata, **given})

    return {"metadata": (await call.write(work)).image_metadata}


async def show_image_metadata(call: Call, volume_id: str, body: Nothing) -> Any:
    """What it says about the image."""
    return {"metadata": (await call.read(lambda tx: volumes.get(tx, call.context, volume_id))).image_metadata}


async def unset_image_metadata(call: Call, volume_id: str, body: ImageMetadataKey) -> None:
    """Say less about the image."""

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        if body.key not in volume.image_metadata:
            raise NotFound(f"Glance metadata for volume/snapshot {volume_id} cannot be found.")
        kept = {key: value for key, value in volume.image_metadata.items() if key != body.key}
        volumes.change(tx, volume, image_metadata=kept)

    await call.write(work)


def _image(name: str, allow: str) -> dict[str, Any]:
    return {"path": PATH, "policy": f"{IMAGE_POLICY}:{name}", "allow": allow, "status": 200}


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
    Action("os-set_image_metadata", set_image_metadata, **_image("set", PROJECT_MEMBER_OR_ADMIN)),
    Action("os-show_image_metadata", show_image_metadata, **_image("show", PROJECT_READER_OR_ADMIN)),
    Action("os-unset_image_metadata", unset_image_metadata, **_image("remove", PROJECT_MEMBER_OR_ADMIN)),
]
