"""A volume as each microversion shows it."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.microversions import Since
from minicloud.core.policy import ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import attachments, backends, groups, types, volumes
from minicloud.core.volume.attachments import VolumeAttachment
from minicloud.core.volume.volumes import Volume

HOST_POLICY = "volume_extension:volume_host_attribute"
TENANT_POLICY = "volume_extension:volume_tenant_attribute"
MIGRATION_POLICY = "volume_extension:volume_mig_status_attribute"
IMAGE_POLICY = "volume_extension:volume_image_metadata:show"
EXTRA = (
    (HOST_POLICY, ADMIN),
    (TENANT_POLICY, PROJECT_READER_OR_ADMIN),
    (MIGRATION_POLICY, ADMIN),
    (IMAGE_POLICY, PROJECT_READER_OR_ADMIN),
)
_SHOWN_AS = {"managing": "creating", "error_managing": "error", "error_managing_deleting": "deleting"}


class VolumeView(Body, wrap="volume"):
    """The detailed document of a volume. What is UNSET is left out."""

    id: str
    status: str
    size: int
    availability_zone: str | None
    created_at: str
    updated_at: str | None
    name: str | None
    description: str | None
    volume_type: str | None
    snapshot_id: str | None
    source_volid: str | None
    metadata: dict[str, str]
    links: list[dict[str, str]]
    user_id: str
    bootable: str
    encrypted: bool
    replication_status: str | None
    consistencygroup_id: str | None
    multiattach: bool
    attachments: list[dict[str, Any]]
    migration_status: str | UnsetType | None = UNSET
    group_id: Annotated[str | None, Since("3.13")] = None
    provider_id: Annotated[str | UnsetType | None, Since("3.21")] = UNSET
    shared_targets: Annotated[bool, Since("3.48")] = False
    service_uuid: Annotated[str | None, Since("3.48")] = None
    cluster_name: Annotated[str | UnsetType | None, Since("3.61")] = UNSET
    volume_type_id: Annotated[str | None, Since("3.63")] = None
    encryption_key_id: Annotated[str | UnsetType, Since("3.64")] = UNSET
    consumes_quota: Annotated[bool, Since("3.65")] = True
    host: str | UnsetType | None = msgspec.field(name="os-vol-host-attr:host", default=UNSET)
    project_id: str | UnsetType = msgspec.field(name="os-vol-tenant-attr:tenant_id", default=UNSET)
    migration: str | UnsetType | None = msgspec.field(name="os-vol-mig-status-attr:migstat", default=UNSET)
    name_id: str | UnsetType | None = msgspec.field(name="os-vol-mig-status-attr:name_id", default=UNSET)
    image_metadata: dict[str, str] | UnsetType = msgspec.field(name="volume_image_metadata", default=UNSET)


class Around(msgspec.Struct, frozen=True):
    """What a volume's document says that stands in other records."""

    types: dict[str, types.VolumeType]
    attachments: dict[str, list[VolumeAttachment]]
    services: dict[str, str]
    consistent: set[str]


def around(tx: Transaction, found: Sequence[Volume]) -> Around:
    """What stands elsewhere of these volumes."""
    return Around(
        types.of(tx, (volume.volume_type_id for volume in found)),
        attachments.of_volumes(tx, [v.id for v in found if v.attach_status != volumes.DETACHED or v.multiattach]),
        {backend.pool_host: backend.uuid for backend in backends.every(tx)},
        groups.consistent_among(tx, {volume.group_id for volume in found if volume.group_id is not None}),
    )


def links(call: Call, collection: str, resource_id: str) -> list[dict[str, str]]:
    """Where a resource is found, with and without the version; with the project where the request had it in its path."""
    path = f"/{collection}/{resource_id}"
    project = call.context.project_id
    if project and call.request.scope["path"].startswith(f"{call.mount}{call.service.prefix}/{project}"):
        path = f"/{project}{path}"
    return [
        {"rel": "self", "href": call.url(path)},
        {"rel": "bookmark", "href": f"{call.base_url}{path}"},
    ]


def brief(call: Call, volume: Volume) -> dict[str, Any]:
    """A volume in a plain listing."""
    return {"id": volume.id, "name": volume.name, "links": links(call, "volumes", volume.id)}


def detailed(call: Call, found: Sequence[Volume], around: Around, *, extended: bool = True) -> list[VolumeView]:
    """Volumes with all that the caller may see; ``extended`` with what extensions add when one is read."""
    return [_view(call, volume, around, extended) for volume in found]


def _view(call: Call, volume: Volume, around: Around, extended: bool) -> VolumeView:
    kind = around.types.get(volume.volume_type_id or "")
    view = VolumeView(
        id=volume.id,
        status=_SHOWN_AS.get(volume.status, volume.status),
        size=volume.size,
        availability_zone=volume.zone,
        created_at=volume.created_at,
        updated_at=volume.updated_at,
        name=volume.name,
        description=volume.description,
        volume_type=volume.volume_type_id if kind is None else kind.name,
        snapshot_id=volume.snapshot_id,
        source_volid=volume.source_volid,
        metadata=volumes.shown_metadata(volume),
        links=links(call, "volumes", volume.id),
        user_id=volume.user_id,
        bootable=str(volume.bootable).lower(),
        encrypted=volume.encryption_key_id is not None,
        replication_status=volume.replication_status,
        consistencygroup_id=volume.group_id if volume.group_id in around.consistent else None,
        multiattach=volume.multiattach,
        attachments=[
            _attachment(call, a)
            for a in around.attachments.get(volume.id, [])
            if a.attach_status == attachments.ATTACHED
        ],
        group_id=volume.group_id,
        service_uuid=around.services.get(volume.host or ""),
        volume_type_id=volume.volume_type_id,
        consumes_quota=volume.use_quota,
    )
    if volume.encryption_key_id is not None:
        view.encryption_key_id = volume.encryption_key_id
    if call.context.is_admin:
        view.migration_status = volume.migration_status
        view.provider_id = volume.provider_id
        view.cluster_name = None
    if extended:
        _extend(call, view, volume)
    return view


def _extend(call: Call, view: VolumeView, volume: Volume) -> None:
    target = {"project_id": volume.project_id}
    if call.allows(HOST_POLICY, target):
        view.host = volume.host
    if call.allows(TENANT_POLICY, target):
        view.project_id = volume.project_id
    if call.allows(MIGRATION_POLICY, target):
        view.migration = volume.migration_status
        view.name_id = None
    if volume.image_metadata and call.allows(IMAGE_POLICY, target):
        view.image_metadata = volume.image_metadata


def _attachment(call: Call, attachment: VolumeAttachment) -> dict[str, Any]:
    seen = call.context.is_admin or "service" in call.context.roles
    return {
        "id": attachment.volume_id,
        "attachment_id": attachment.id,
        "volume_id": attachment.volume_id,
        "server_id": attachment.server_id,
        "host_name": attachment.attached_host if seen else None,
        "device": attachment.mountpoint,
        "attached_at": attachment.attached_at,
    }
