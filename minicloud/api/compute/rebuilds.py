"""Beginning a server anew from an image (the action rebuild)."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body, LongText, Name, encode
from minicloud.api.call import Call, Reply
from minicloud.api.compute import server_views
from minicloud.api.compute.server_creation import (
    MetadataKey,
    MetadataValue,
    Personality,
)
from minicloud.api.compute.server_listing import surroundings_of
from minicloud.api.compute.words import (
    Described,
    Hostname,
    Named,
    Truth,
    check_address,
    check_base64,
    check_hostname,
    truth,
)
from minicloud.api.microversions import NotNull, Since, Until
from minicloud.api.routes import Action
from minicloud.base.errors import Invalid, NotOffered
from minicloud.conductor.compute.rebuild_server import EPHEMERAL_FILES, RebuildServer
from minicloud.core.compute import rebuilds, servers, volumed_images
from minicloud.core.compute.rebuilds import Rebuild
from minicloud.core.compute.server_files import GivenFile
from minicloud.core.compute.servers import Server
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:servers"


class RebuildBody(Body):
    """The body of the action."""

    image_ref: UUID = msgspec.field(name="imageRef")
    name: Named | UnsetType = UNSET
    admin_pass: Annotated[str | None, NotNull()] = msgspec.field(name="adminPass", default=None)
    metadata: dict[MetadataKey, MetadataValue] | UnsetType = UNSET
    preserve_ephemeral: bool | Truth = False
    disk_config: Literal["AUTO", "MANUAL"] | UnsetType = msgspec.field(name="OS-DCF:diskConfig", default=UNSET)
    access_ip_v4: str | UnsetType = msgspec.field(name="accessIPv4", default=UNSET)
    access_ip_v6: str | UnsetType = msgspec.field(name="accessIPv6", default=UNSET)
    personality: Annotated[list[Personality], Until("2.56")] = []
    description: Annotated[Described | UnsetType | None, Since("2.19")] = UNSET
    key_name: Annotated[Name | UnsetType | None, Since("2.54")] = UNSET
    user_data: Annotated[LongText | UnsetType | None, Since("2.57")] = UNSET
    trusted_image_certificates: Annotated[list[str] | None, Since("2.63")] = None
    hostname: Annotated[Hostname | UnsetType, Since("2.90")] = UNSET


async def rebuild(call: Call, server_id: str, body: RebuildBody) -> Reply:
    """Promise the rebuild; the answer shows what the server will be."""
    wanted = _wanted(call, body, reimage=call.at_least("2.93"))

    def work(tx: Transaction) -> Server:
        before, server, action_id = rebuilds.ask(tx, call.context, server_id, wanted)
        claimed = server.task_state or ""
        root = volumed_images.root_volume(tx, server.id) if server.on_volume and wanted.reimage else None
        call.begin(
            tx,
            RebuildServer(
                server_id=server.id,
                action_id=action_id,
                claimed=claimed,
                was=before.vm_state,
                other_image=before.image_properties.properties != server.image_properties.properties
                or before.image_id != server.image_id,
                kept=list(EPHEMERAL_FILES) if truth("preserve_ephemeral", body.preserve_ephemeral) else [],
                reimaged=None if root is None else root.id,
                reimaged_with=None if root is None else wanted.image_id,
            ),
        )
        return server

    server = await call.write(work)
    view = server_views.detailed(call, [server], await surroundings_of(call, [server]), alone=True)[0]
    document: dict[str, Any] = msgspec.json.decode(encode(server_views.as_changed(call, view), call.version))["server"]
    document["adminPass"] = wanted.admin_password
    if call.at_least("2.54"):
        document["key_name"] = server.key_name
    if call.at_least("2.57"):
        document["user_data"] = server.user_data
    if call.at_least("2.75"):
        # Here alone it stands under this name only.
        document.pop("OS-EXT-SRV-ATTR:user_data", None)
    return Reply({"server": document}, headers={"Location": call.url(f"/servers/{server_id}")})


def _wanted(call: Call, body: RebuildBody, *, reimage: bool) -> Rebuild:
    hostname = check_hostname(call, body.hostname)
    for one in body.personality:
        check_base64("contents", one.contents)
    if isinstance(body.user_data, str):
        check_base64("user_data", body.user_data)
    if body.trusted_image_certificates:
        call.enforce(f"{POLICY}:rebuild:trusted_certs")
        raise NotOffered("Trusted image certificates are not offered by this cloud")
    for address, name in ((body.access_ip_v4, "accessIPv4"), (body.access_ip_v6, "accessIPv6")):
        if address is not UNSET:
            check_address(address, name)
    if body.name is not UNSET and not body.name.strip():
        raise Invalid(f"Invalid input for field/attribute name. Value: {body.name}. {body.name!r} is only white space")
    return Rebuild(
        image_id=body.image_ref,
        admin_password=body.admin_pass or servers.new_password(),
        name=body.name if body.name is UNSET else body.name.strip(),
        hostname=hostname,
        description=body.description,
        metadata=body.metadata,
        key_name=body.key_name,
        user_data=body.user_data,
        files=[GivenFile(one.path, one.contents) for one in body.personality],
        access_ip_v4=body.access_ip_v4 if body.access_ip_v4 is UNSET else body.access_ip_v4 or None,
        access_ip_v6=body.access_ip_v6 if body.access_ip_v6 is UNSET else body.access_ip_v6 or None,
        disk_config=body.disk_config,
        reimage=reimage,
        zero_disk=call.allows(f"{POLICY}:create:zero_disk_flavor"),
    )


routes = [
    Action(
        "rebuild",
        rebuild,
        policy=f"{POLICY}:rebuild",
        allow=PROJECT_MEMBER_OR_ADMIN,
        extra=[
            (f"{POLICY}:rebuild:trusted_certs", PROJECT_MEMBER_OR_ADMIN),
            (f"{POLICY}:create:zero_disk_flavor", ADMIN),
        ],
    )
]
