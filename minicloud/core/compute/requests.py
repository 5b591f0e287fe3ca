"""Asking for servers: everything that is checked before a server is promised, and the records that promise it."""

from typing import Any, Literal

import msgspec

from minicloud.base.errors import Forbidden, Invalid, NotFound
from minicloud.core import quota, unified_limits, user_quotas
from minicloud.core.compute import (
    block_devices,
    device_requests,
    flavors,
    hardware,
    hosts,
    keypairs,
    network_requests,
    server_files,
    server_groups,
    servers,
    special_hardware,
    unified_quotas,
)
from minicloud.core.compute.device_requests import BootVolume, DeviceRequest
from minicloud.core.compute.disk_rules import ANY, DiskRules
from minicloud.core.compute.server_files import GivenFile
from minicloud.core.compute.servers import RequestedNetwork, Server, ServerFlavor, ServerImage
from minicloud.core.compute.topology import wanted_topology
from minicloud.core.context import Context
from minicloud.core.image import images
from minicloud.core.image.images import Image
from minicloud.core.network import security_groups
from minicloud.engines.database import Transaction

MiB, GiB = 1 << 20, 1 << 30


class ServerRequest(msgspec.Struct, kw_only=True):
    """What a client asks for. ``networks`` None lets the cloud choose when only one is there to choose.

    ``zero_disk`` and ``external_networks`` are what policies allow: an image on a flavor that does not limit the disk, and a
    place in a network to the outside.
    """

    name: str
    flavor_ref: str
    image_id: str | None
    networks: list[RequestedNetwork] | Literal["auto", "none"] | None = None
    security_groups: list[str] = []
    key_name: str | None = None
    user_data: str | None = None
    files: list[GivenFile] = []
    config_drive: bool = False
    metadata: dict[str, str] = {}
    tags: list[str] = []
    description: str | None = None
    hostname: str | None = None
    zone: str | None = None
    host: str | None = None
    node: str | None = None
    forced: bool = False
    hints: dict[str, Any] = {}
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    disk_config: str = "MANUAL"
    admin_password: str | None = None
    min_count: int = 1
    max_count: int = 1
    devices: list[DeviceRequest] = []
    disks: DiskRules = ANY
    multiattach: bool = True
    zero_disk: bool = False
    external_networks: bool = False


def ask(tx: Transaction, context: Context, request: ServerRequest) -> list[tuple[Server, int]]:
    """Promise servers: each with the id of the action that makes it.

    Raises Invalid, NotFound, Forbidden, Conflict, OverQuota in Nova's words; nothing is written then.
    """
    project_id = context.require_project()
    if request.min_count > request.max_count:
        raise Invalid("min_count must be <= max_count")
    flavor = _flavor(tx, context, request.flavor_ref)
    if request.max_count > 1:
        _check_several(request)
    if request.zone is not None and request.host is None and not hosts.zone_offered(tx, request.zone):
        raise Invalid("The requested availability zone is not available")
    image = None if request.image_id is None else images.for_boot(tx, context, request.image_id)
    devices, boot = device_requests.read(tx, context, request.devices, image, flavor, request.max_count)
    if boot is not None:
        device_requests.check_fit(boot, flavor)
        check_properties(boot.properties, flavor)
    elif image is not None and image.size != 0:
        check_fit(image, flavor, zero_disk=request.zero_disk)
        check_topology(image, flavor)
    else:
        raise Invalid("Invalid image identifier or unable to use requested image.", kind="image")
    servers.check_user_data(request.user_data)
    server_files.check(tx, project_id, request.files)
    key = None if request.key_name is None else keypairs.for_boot(tx, context.user_id, request.key_name)
    _check_groups(tx, project_id, request.security_groups)
    zone = device_requests.zone_of(tx, request.disks, request.zone, devices)
    if not request.forced:
        _check_destination(tx, request.host, request.node)
    count = _within_quota(tx, context, request, flavor, image)
    chosen = network_requests.chosen(tx, context, request.networks, external=request.external_networks)
    count = network_requests.within_quota(tx, project_id, chosen, request.min_count, count)
    group = server_groups.for_boot(tx, context, request.hints, count)
    source = boot_source(tx, context, image, boot)
    root_bus = next((device.disk_bus for device in devices if device.boot_index == 0), None)
    source = msgspec.structs.replace(source, root_device_name=block_devices.root_name(source.properties, root_bus))
    reservation = f"r-{tx.ids.hex()[:8]}"
    promised = []
    for index in range(count):
        name = request.name if count == 1 else f"{request.name}-{index + 1}"
        server_id = tx.ids.uuid()
        server = Server(
            id=server_id,
            project_id=project_id,
            user_id=context.user_id,
            name=name,
            hostname=request.hostname or servers.hostname_of(name, server_id),
            # Nova describes a server by its name where nobody described it.
            description=request.description,
            image_id=None if image is None else image.id,
            image_properties=source,
            flavor=flavor,
            vcpus=flavor.vcpus,
            memory_mb=flavor.memory_mb,
            disk_gb=(0 if boot is not None else flavor.disk) + flavor.ephemeral,
            key_name=request.key_name,
            key_type=None if key is None else key.type,
            public_key=None if key is None else key.public_key,
            user_data=request.user_data,
            config_drive=request.config_drive,
            metadata=request.metadata,
            tags=request.tags,
            security_groups=request.security_groups or ["default"],
            requested_networks=chosen,
            scheduler_hints=request.hints,
            requested_zone=zone,
            requested_host=request.host,
            requested_node=request.node,
            forced=request.forced,
            access_ip_v4=request.access_ip_v4,
            access_ip_v6=request.access_ip_v6,
            disk_config=request.disk_config,
            reservation_id=reservation,
            launch_index=index,
            admin_password=request.admin_password,
            created_at=tx.now,
            updated_at=tx.now,
        )
        promised.append(servers.add(tx, context, server))
        device_requests.promise(tx, server, devices, multiattach=request.multiattach)
        server_files.put(tx, server_id, request.files)
        if group is not None:
            server_groups.join(tx, group.id, server_id, context.user_id)
    return promised


def boot_source(tx: Transaction, context: Context, image: Image | None, boot: BootVolume | None) -> ServerImage:
    """What a server boots from: an image, or a volume, of which it remembers only what is said of it."""
    if boot is not None:
        return ServerImage(format="raw", properties=boot.properties)
    assert image is not None
    return image_source(tx, context, image)


def image_source(tx: Transaction, context: Context, image: Image) -> ServerImage:
    """The image as a server remembers it, with the kernel and ramdisk that it names."""

    def part(name: str) -> ServerImage | None:
        other = image.properties.get(name)
        # A kernel's own kernel means nothing, and an image may name itself.
        return None if not other else _source(images.for_boot(tx, context, other))

    return _source(image, kernel=part("kernel_id"), ramdisk=part("ramdisk_id"))


def _source(image: Image, *, kernel: ServerImage | None = None, ramdisk: ServerImage | None = None) -> ServerImage:
    return ServerImage(
        blob=image.id,
        checksum=image.os_hash_value or "",
        format=image.disk_format or "raw",
        size=image.size or 0,
        kernel=kernel,
        ramdisk=ramdisk,
        properties=image.properties,
    )


def _flavor(tx: Transaction, context: Context, reference: str) -> ServerFlavor:
    try:
        found = flavors.get_usable(tx, context, reference)
    except NotFound as error:
        raise Invalid(f"Flavor {reference} could not be found.") from error
    return flavor_of(found)


def flavor_of(found: flavors.Flavor) -> ServerFlavor:
    """A flavor as a server remembers it."""
    return ServerFlavor(
        id=found.flavorid,
        name=found.name,
        vcpus=found.vcpus,
        memory_mb=found.memory_mb,
        disk=found.disk,
        ephemeral=found.ephemeral,
        swap=found.swap,
        extra_specs=found.extra_specs,
    )


def check_fit(image: Image, flavor: ServerFlavor, *, zero_disk: bool) -> None:
    """Raises Invalid when a server of this flavor has no room for the image; Forbidden where it may take whatever it needs.

    ``zero_disk``: that is allowed.
    """
    if image.min_ram and flavor.memory_mb < image.min_ram:
        raise Invalid("Flavor's memory is too small for requested image.")
    if flavor.disk == 0:
        if not zero_disk:
            raise Forbidden("Only volume-backed servers are allowed for flavors with zero disk.")
        return
    room = flavor.disk * GiB
    needed = max(image.virtual_size or 0, image.size or 0)
    if needed > room:
        raise Invalid(
            f"Flavor's disk is too small for requested image. Flavor disk is {room} bytes, image is {needed} bytes."
        )
    if image.min_disk * GiB > room:
        raise Invalid(
            "Flavor's disk is smaller than the minimum size specified in image metadata. "
            f"Flavor disk is {room} bytes, minimum size is {image.min_disk * GiB} bytes."
        )


def check_topology(image: Image, flavor: ServerFlavor) -> None:
    """Raises Invalid where flavor and image together ask for cells, CPUs or pages that make no sense."""
    check_properties(image.properties, flavor)


def check_properties(properties: dict[str, str], flavor: ServerFlavor) -> None:
    """As ``check_topology``, of the properties alone."""
    try:
        hardware.check(flavor.name, flavor.vcpus, flavor.extra_specs, properties)
        wanted_topology(flavor.vcpus, flavor.memory_mb, flavor.extra_specs, properties)
        special_hardware.demands(flavor.extra_specs, properties)
    except Forbidden as error:
        # Nova answers 400 whichever of its exceptions says so.
        raise Invalid(error.message) from error


def _check_destination(tx: Transaction, host: str | None, node: str | None) -> None:
    """Raises Invalid where no host is called so; one that is forced upon the scheduler is its affair."""
    wanted = host or node
    if wanted is not None and not any(host in (None, one.host) and node in (None, one.node) for one in hosts.nodes(tx)):
        raise Invalid(f"Compute host {wanted} could not be found.")


def _check_several(request: ServerRequest) -> None:
    """Raises Invalid for what only one server can have."""
    for network in request.networks if isinstance(request.networks, list) else []:
        if network.network_id is not None and network.fixed_ip is not None:
            raise Invalid("Failed to launch instances: max_count cannot be greater than 1 if an fixed_ip is specified.")
    for network in request.networks if isinstance(request.networks, list) else []:
        if network.port_id is not None:
            raise Invalid(
                "Failed to launch instances: Unable to launch multiple instances with a single configured port ID. "
                "Please launch your instance one by one with different ports."
            )
    if request.hostname is not None:
        raise Invalid("Unable to allocate a single hostname to multiple instances")


def _check_groups(tx: Transaction, project_id: str, names: list[str]) -> None:
    # Resolving the default would make one for a project that has none, also where the request fails.
    for name in names:
        if name != security_groups.DEFAULT:
            try:
                security_groups.resolve(tx, project_id, [name])
            except NotFound as error:
                raise Invalid(f"Security group {name} not found for project {project_id}.") from error


def _within_quota(
    tx: Transaction, context: Context, request: ServerRequest, flavor: ServerFlavor, image: Image | None
) -> int:
    """How many servers of the wanted number the quota allows; at least the smallest number. Raises OverQuota."""
    project_id = context.require_project()
    quota.check(tx, "compute", project_id, {"metadata_items": len(request.metadata)}, {})
    if unified_limits.switched_on(tx, "compute"):
        properties = {} if image is None else image.properties
        return unified_quotas.allowed_count(tx, project_id, flavor, properties, request.min_count, request.max_count)
    used = usage(tx, project_id)
    count = request.min_count
    if request.max_count > request.min_count:
        one = _deltas(flavor, 1)
        room = quota.room(tx, "compute", project_id, one, used)
        most = [room[name] // each for name, each in one.items() if each and room[name] != quota.UNLIMITED]
        count = max(request.min_count, min([request.max_count, *most]))
    quota.check(tx, "compute", project_id, _deltas(flavor, count), used)
    user_id = context.user_id
    user_quotas.check(
        tx, "compute", project_id, user_id, _deltas(flavor, count), lambda: usage(tx, project_id, user_id)
    )
    return count


def _deltas(flavor: ServerFlavor, count: int) -> dict[str, int]:
    return {"instances": count, "cores": count * flavor.vcpus, "ram": count * flavor.memory_mb}


def usage(tx: Transaction, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """What a project's servers, or those of one of its users, use of the quota."""
    row = tx.one(
        "SELECT count(*), COALESCE(sum(vcpus), 0), COALESCE(sum(memory_mb), 0) FROM servers "
        "WHERE project_id = ? AND deleted = 0 AND vm_state <> 'soft-delete' AND (? IS NULL OR user_id = ?)",
        [project_id, user_id, user_id],
    )
    assert row is not None
    return {"instances": row[0], "cores": row[1], "ram": row[2]}
