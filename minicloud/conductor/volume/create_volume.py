"""Bring a new volume to ``available``, or leave nothing of it but a record in ``error``."""

import functools
from typing import Any

from minicloud.agent import volume_calls
from minicloud.agent.calls import ImageSource
from minicloud.base import trace
from minicloud.base.errors import Aborted, Conflict, Failed, NoValidHost, Unavailable
from minicloud.conductor.step import Attempts, Saga, Step, Steps
from minicloud.conductor.volume.backends import ask, clean
from minicloud.conductor.volume.copies import ensure_copied, ensure_not_copied
from minicloud.conductor.volume.told import ALLOCATE, COPY_IMAGE, CREATE, tell
from minicloud.conductor.world import World
from minicloud.core.image import images
from minicloud.core.volume import backends, groups, messages, snapshots, types, unmanaged, volumes
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

CLAIMED = (volumes.CREATING, volumes.DOWNLOADING)
MOST_BACKENDS = 3
"""Backends on which a volume is tried: Cinder's default ``scheduler_max_attempts``."""


class CreateVolume(Saga):
    """``image_id``: what is put on it; snapshot and source volume stand in its record.

    ``adopted``: what an administrator let go of on ``host`` and takes up again.
    """

    volume_id: str
    image_id: str | None = None
    host: str | None = None
    adopted: str | None = None

    @property
    def about(self) -> str:
        return self.volume_id

    @classmethod
    def steps(cls) -> Steps[Any]:
        return [
            Step("place", record=place, unrecord=mark_error),
            Step("make", act=ensure_made, undo=ensure_gone),
            Step("publish", record=mark_available),
        ]


class CreateVolumeAnywhere(CreateVolume):
    """A volume that may be on several backends: one that fails is left for the next. ``tried`` are those that failed."""

    tried: list[str] = []

    @classmethod
    def steps(cls) -> Steps[Any]:
        return [
            Step("claim", record=claim, unrecord=mark_error),
            Attempts(
                [
                    Step("place", record=place_again, unrecord=leave),
                    Step("make", act=ensure_made, undo=ensure_gone),
                ],
                limit=MOST_BACKENDS,
            ),
            Step("publish", record=mark_available),
        ]


def saga_for(tx: Transaction, volume: Volume, image_id: str | None = None) -> CreateVolume:
    """The work that makes a volume which has been promised."""
    if len(backends.every(tx)) > 1 and _host_of_others(tx, volume) is None:
        return CreateVolumeAnywhere(volume_id=volume.id, image_id=image_id)
    return CreateVolume(volume_id=volume.id, image_id=image_id)


def claim(tx: Transaction, saga: CreateVolumeAnywhere, world: World) -> None:
    """The volume's row was written together with this saga; nobody has taken it since."""
    _unless_taken(tx, saga)


def place_again(tx: Transaction, saga: CreateVolumeAnywhere, world: World) -> None:
    """Choose a backend that has not failed yet; when there is none left, the last failure is what its users are told of."""
    try:
        place(tx, saga, world)
    except NoValidHost as error:
        if saga.tried and saga.failed is not None:
            raise Aborted(saga.failed.message, cause=error.message) from error
        raise


def leave(tx: Transaction, saga: CreateVolumeAnywhere, world: World) -> None:
    """The volume is on no backend, and this one is not asked again."""
    if saga.host is not None:
        saga.tried.append(saga.host)
        saga.host = None
    volume = volumes.find(tx, saga.volume_id)
    if volume is not None and volume.status in CLAIMED:
        volumes.change(tx, volume, host=None, status=volumes.CREATING)


def place(tx: Transaction, saga: CreateVolume, world: World) -> None:
    """Choose the backend: that of what it is made of, or of its group, else the one with most room."""
    volume = _unless_taken(tx, saga)
    host = saga.host
    if host is None:
        found = backends.choose(
            tx,
            size_gb=volume.size,
            zone=volume.zone,
            extra_specs=types.specs_of(tx, volume.volume_type_id),
            is_up=lambda name: backends.member(name) not in world.servicegroup.down,
            only=_host_of_others(tx, volume),
            tried=saga.tried if isinstance(saga, CreateVolumeAnywhere) else (),
        )
        host = found.pool_host
    saga.host = host
    status = volumes.DOWNLOADING if saga.image_id is not None else volumes.CREATING
    trace.note("volume_placed", volume=volume.id, host=host)
    volumes.change(tx, volume, host=host, status=status)


async def ensure_made(saga: CreateVolume, world: World) -> None:
    """The volume lies on its backend."""
    assert saga.host is not None
    volume = await world.database.read(lambda tx: volumes.existing(tx, saga.volume_id))
    image = None
    if saga.image_id is not None:
        image = await world.database.read(functools.partial(image_source, image_id=saga.image_id))
    message: volume_calls.EnsureVolume | volume_calls.EnsureClone
    if saga.adopted is not None:
        message = volume_calls.EnsureClone(
            volume_id=volume.id, size_gb=volume.size, source_id=saga.adopted, shared=volume.multiattach
        )
    elif volume.source_volid is not None:
        copied = await ensure_copied(world, saga.host, volume.source_volid, volume.id)
        message = volume_calls.EnsureClone(
            volume_id=volume.id,
            size_gb=volume.size,
            source_id=volume.source_volid,
            copied=copied,
            shared=volume.multiattach,
        )
    else:
        message = volume_calls.EnsureVolume(
            volume_id=volume.id,
            size_gb=volume.size,
            image=image,
            snapshot_id=volume.snapshot_id,
            shared=volume.multiattach,
        )
    made = await ask(world, saga.host, message, timeout_s=3600)
    trace.note("volume_made", volume=volume.id, path=made.path, bytes=made.virtual_size)


async def ensure_gone(saga: CreateVolume, world: World) -> None:
    """Nothing of it lies on the backend; one that is down is cleaned by the reconciler when it returns."""
    volume = await world.database.read(lambda tx: volumes.find(tx, saga.volume_id))
    if volume is not None and volume.source_volid is not None:
        await ensure_not_copied(world, volume.source_volid)
    if saga.host is not None:
        await clean(world, saga.host, volume_calls.EnsureNoVolume(volume_id=saga.volume_id))


def mark_available(tx: Transaction, saga: CreateVolume, world: World) -> None:
    """The volume is there for its user; what an image was put on can be booted."""
    _unless_taken(tx, saga)
    if saga.adopted is not None:
        unmanaged.taken(tx, saga.adopted, done=True)
    settle_available(tx, saga)


def settle_available(tx: Transaction, saga: CreateVolume) -> None:
    """As ``mark_available``, of a volume that may have been taken for something else meanwhile."""
    volume = volumes.find(tx, saga.volume_id)
    if volume is None:
        return
    volumes.settle(
        tx,
        volume.id,
        CLAIMED,
        status=volumes.AVAILABLE,
        launched_at=tx.now,
        bootable=volume.bootable or saga.image_id is not None,
    )


def mark_error(tx: Transaction, saga: CreateVolume, world: World) -> None:
    """The record stays in ``error``, unless it was taken for deletion already; its users are told why."""
    if saga.adopted is not None:
        unmanaged.taken(tx, saga.adopted, done=False)
    volume = volumes.settle(tx, saga.volume_id, CLAIMED, status=volumes.ERROR, host=saga.host)
    if volume is not None and volume.status == volumes.ERROR:
        placed = saga.host is not None or (isinstance(saga, CreateVolumeAnywhere) and bool(saga.tried))
        action = ALLOCATE if not placed else COPY_IMAGE if saga.image_id is not None else CREATE
        tell(tx, saga, volume.project_id, messages.VOLUME, volume.id, action)


def _unless_taken(tx: Transaction, saga: CreateVolume) -> Volume:
    volume = volumes.existing(tx, saga.volume_id)
    if volume.status not in CLAIMED:
        raise Conflict(f"Volume {volume.id} became {volume.status} while it was being created", kind="taken")
    return volume


def _host_of_others(tx: Transaction, volume: Volume) -> str | None:
    """Where it has to be, as what it is made of is there, or the other volumes of its group; None: anywhere."""
    source_id = volume.source_volid
    if volume.snapshot_id is not None:
        source_id = snapshots.existing(tx, volume.snapshot_id).volume_id
    if source_id is None:
        return None if volume.group_id is None else groups.host_of(tx, volume.group_id)
    host = volumes.existing(tx, source_id).host
    if host is None:
        raise Unavailable(f"Volume {source_id}, of which {volume.id} is made, is on no backend")
    return host


def image_source(tx: Transaction, image_id: str) -> ImageSource:
    """Where a backend gets an image. Raises Failed when it is not active any more."""
    image = images.find_many(tx, [image_id]).get(image_id)
    if image is None or image.status != images.ACTIVE or image.os_hash_value is None:
        raise Failed(f"Image {image_id} is not active any more")
    # Amazon's machine images are plain file systems.
    format = "raw" if image.disk_format in ("ami", "aki", "ari") else image.disk_format or "raw"
    return ImageSource(blob=image.id, checksum=image.os_hash_value, format=format, size=image.size or 0)
