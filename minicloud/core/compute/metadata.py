"""What a guest may know of itself: the documents of the metadata service and of the config drive, in OpenStack's and EC2's form.

Source of shapes and version dates: the OpenStack user guide, "metadata" and nova/api/metadata/base.py (nova 34.0.0).
"""

import base64
import hashlib
import ipaddress
from typing import Any

import msgspec

from minicloud.core import records
from minicloud.core.compute import block_devices, server_files
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.compute.server_files import ServerFile
from minicloud.core.compute.servers import Server
from minicloud.core.network import addressing, ports
from minicloud.core.network.rows import Network, Port, Subnet
from minicloud.engines.database import Transaction

OPENSTACK_VERSIONS = (
    "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27", "2020-10-14", "2025-04-04",
)  # fmt: skip
EC2_VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04",
)  # fmt: skip
LATEST = "latest"
PASSWORD, PASSWORD_SINCE = "password", "2013-04-04"
"""The file that a guest may write, once, and the first version that has it."""


class Card(msgspec.Struct, frozen=True):
    """A network card of a guest: its port, its network, and each address with its subnet."""

    port: Port
    network: Network
    addresses: list[tuple[str, Subnet]]


class Place(msgspec.Struct, frozen=True):
    """Where a guest finds a device: the kind of bus, and the address on it."""

    bus: str = "none"
    address: str = "none"


class Guest(msgspec.Struct, frozen=True):
    """All that the documents are made of; ``places`` are those of devices with a tag, by port and by what the host calls a disk."""

    server: Server
    cards: list[Card]
    floating: dict[str, str]
    files: list[ServerFile] = []
    devices: list[BlockDevice] = []
    places: dict[str, Place] = {}

    @property
    def has_tags(self) -> bool:
        """Whether its owner called any card or disk something."""
        return bool(self.server.nic_tags) or any(device.tag is not None for device in self.devices)

    @property
    def fixed_v4(self) -> list[str]:
        """The guest's IPv4 addresses, in the order of its cards."""
        return [address for card in self.cards for address, _ in card.addresses if ":" not in address]

    @property
    def hostname(self) -> str:
        """Its full host name."""
        name = self.server.hostname
        return name if "." in name else f"{name}.novalocal"


def guest(tx: Transaction, server: Server) -> Guest:
    """What the documents of a server are made of."""
    cards = []
    floating: dict[str, str] = {}
    found = ports.of_server(tx, server.id)
    held = addressing.held_by(tx, [port.id for port in found])
    for port in found:
        subnets = {subnet.id: subnet for subnet in addressing.subnets_of(tx, port.network_id)}
        addresses = [(fixed.ip_address, subnets[fixed.subnet_id]) for fixed in held.get(port.id, [])]
        cards.append(Card(port, records.get(tx, Network, port.network_id), addresses))
    for places in ports.addresses_of(tx, [server.id]).get(server.id, {}).values():
        for place in places:
            if place.kind == "floating":
                floating[place.port_id] = place.address
    return Guest(server, cards, floating, server_files.of_server(tx, server.id), block_devices.of_server(tx, server.id))


def calling(
    tx: Transaction, address: str, *, network_id: str | None, router_id: str | None, port_id: str | None
) -> Server | None:
    """The server whose guest calls, by where the connection came from: its port, or its address on a network or behind a router."""
    if port_id is not None:
        row = tx.one("SELECT device_id FROM ports WHERE id = ?", [port_id])
    elif network_id is not None:
        row = tx.one(
            "SELECT p.device_id FROM ip_allocations a JOIN ports p ON p.id = a.port_id "
            "WHERE a.network_id = ? AND a.address = ?",
            [network_id, address],
        )
    else:
        row = tx.one(
            "SELECT p.device_id FROM ip_allocations a JOIN ports p ON p.id = a.port_id WHERE a.address = ? "
            "AND a.network_id IN (SELECT r.network_id FROM ports r WHERE r.device_id = ? "
            "AND r.device_owner = 'network:router_interface')",
            [address, router_id],
        )
    server = None if row is None else records.find(tx, Server, row[0])
    return None if server is None or server.deleted else server


def openstack(guest: Guest, version: str, *, on_drive: bool = False) -> dict[str, bytes]:
    """The files of one dated version, by name. ``latest`` is the newest; only the drive tells of given files."""
    at = OPENSTACK_VERSIONS[-1] if version == LATEST else version
    document = meta_data(guest, at)
    if on_drive and guest.files:
        document["files"] = [{"path": one.path, "content_path": _place(one)} for one in guest.files]
    files = {"meta_data.json": _json(document)}
    if guest.server.user_data is not None:
        files["user_data"] = base64.b64decode(guest.server.user_data)
    if at >= PASSWORD_SINCE:
        files[PASSWORD] = (guest.server.guest_password or "").encode()
    if at >= "2013-10-17":
        files["vendor_data.json"] = b"{}"
    if at >= "2015-10-15":
        files["network_data.json"] = _json(network_data(guest))
    if at >= "2016-10-06":
        files["vendor_data2.json"] = b"{}"
    return files


def _place(given: ServerFile) -> str:
    """Where a given file stands on the drive, below ``openstack``."""
    return f"/content/{given.position:04}"


def meta_data(guest: Guest, at: str = OPENSTACK_VERSIONS[-1]) -> dict[str, Any]:
    """``meta_data.json`` as of a version."""
    server = guest.server
    document: dict[str, Any] = {
        "uuid": server.id,
        "availability_zone": server.zone or server.requested_zone or "nova",
        "hostname": guest.hostname,
        "launch_index": server.launch_index,
        "name": server.name,
    }
    if server.metadata:
        document["meta"] = server.metadata
    if server.key_name and server.public_key:
        document["public_keys"] = {server.key_name: server.public_key}
        document["keys"] = [{"name": server.key_name, "type": server.key_type or "ssh", "data": server.public_key}]
    if server.admin_password:
        document["admin_pass"] = server.admin_password
    if at >= "2013-10-17":
        # The same at each request: what is random for the guest need not be random for whoever debugs it.
        document["random_seed"] = base64.b64encode(
            hashlib.sha512(f"{server.id}{server.reservation_id}".encode()).digest()
        ).decode()
    if at >= "2015-10-15":
        document["project_id"] = server.project_id
    if at >= "2016-06-30":
        document["devices"] = _devices(guest, at)
    if at >= "2020-10-14":
        document["dedicated_cpus"] = []
    return document


def _devices(guest: Guest, at: str) -> list[dict[str, Any]]:
    """The cards and disks that their owner called something, and where they sit in the guest."""
    told: list[dict[str, Any]] = []
    disk_ids = block_devices.disk_ids(guest.devices)
    for device in guest.devices:
        if device.tag is not None and (disk_id := disk_ids.get(device.id)) is not None:
            # Where there is no volume, nothing but its place tells the disk.
            place = _place_of(guest, disk_id)
            told.append({"type": "disk", "serial": device.volume_id, **place, "tags": [device.tag]})
    for card in guest.cards:
        if (tag := guest.server.nic_tags.get(card.port.id)) is not None:
            trust = {"vf_trusted": False} if at >= "2018-08-27" else {}
            place = _place_of(guest, card.port.id)
            told.append({"type": "nic", "mac": card.port.mac_address, **trust, **place, "tags": [tag]})
    return told


def _place_of(guest: Guest, device_id: str) -> dict[str, str]:
    place = guest.places.get(device_id, Place())
    return {"bus": place.bus, "address": place.address}


def network_data(guest: Guest) -> dict[str, Any]:
    """``network_data.json``: DHCP where the subnet has it, addresses written out where it has not."""
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    services: list[dict[str, str]] = []
    for card in guest.cards:
        link = f"tap{card.port.id[:11]}"
        links.append(
            {
                "id": link,
                "vif_id": card.port.id,
                "type": "bridge",
                "mtu": card.network.mtu,
                "ethernet_mac_address": card.port.mac_address,
            }
        )
        for address, subnet in card.addresses:
            version = 6 if ":" in address else 4
            entry: dict[str, Any] = {"id": f"network{len(networks)}", "link": link, "network_id": card.network.id}
            if subnet.enable_dhcp and version == 4:
                entry["type"] = "ipv4_dhcp"
            elif subnet.enable_dhcp:
                entry["type"] = f"ipv6_{subnet.ipv6_address_mode or 'dhcpv6-stateful'}"
            else:
                entry |= _static(address, subnet, version)
            networks.append(entry)
            services += [{"type": "dns", "address": server} for server in subnet.dns_nameservers]
    unique = [service for i, service in enumerate(services) if service not in services[:i]]
    return {"links": links, "networks": networks, "services": unique}


def _static(address: str, subnet: Subnet, version: int) -> dict[str, Any]:
    network = addressing.network_of(subnet)
    routes = [
        {
            "network": route.destination.partition("/")[0],
            "netmask": _netmask(route.destination),
            "gateway": route.nexthop,
        }
        for route in subnet.host_routes
    ]
    if subnet.gateway_ip:
        anywhere = "::" if version == 6 else "0.0.0.0"
        routes.insert(0, {"network": anywhere, "netmask": anywhere, "gateway": subnet.gateway_ip})
    return {
        "type": f"ipv{version}",
        "ip_address": address,
        "netmask": str(network.netmask),
        "routes": routes,
        "services": [{"type": "dns", "address": server} for server in subnet.dns_nameservers],
    }


def _netmask(cidr: str) -> str:
    return str(ipaddress.ip_network(cidr, strict=False).netmask)


def config_drive(guest: Guest) -> dict[str, bytes]:
    """The files of the config drive, by path: every dated version and ``latest``, EC2's tree as one document, given files."""
    files = {
        f"openstack/{version}/{name}": content
        for version in (*OPENSTACK_VERSIONS, LATEST)
        for name, content in openstack(guest, version, on_drive=True).items()
        if name != PASSWORD
    }
    for one in guest.files:
        files[f"openstack{_place(one)}"] = base64.b64decode(one.contents)
    for version in (EC2_VERSIONS[-1], LATEST):
        tree = ec2(guest)
        files[f"ec2/{version}/meta-data.json"] = _json(tree["meta-data"])
        if "user-data" in tree:
            files[f"ec2/{version}/user-data"] = tree["user-data"]
    return files


def ec2(guest: Guest) -> dict[str, Any]:
    """The EC2 tree below a version: folders are dictionaries, leaves are text."""
    server = guest.server
    floating = next(iter(guest.floating.values()), "")
    meta: dict[str, Any] = {
        "ami-id": _ec2_id("ami", server.image_id or server.id),
        "ami-launch-index": str(server.launch_index),
        # Nova has answered with this word since 2010, and images look for it.
        "ami-manifest-path": "FIXME",
        "block-device-mapping": {"ami": server.root_device_name.removeprefix("/dev/"), "root": server.root_device_name},
        "hostname": guest.hostname,
        "instance-action": "none",
        "instance-id": _ec2_id("i", server.id),
        "instance-type": server.flavor.name,
        "local-hostname": guest.hostname,
        "local-ipv4": next(iter(guest.fixed_v4), ""),
        "placement": {"availability-zone": server.zone or server.requested_zone or "nova"},
        "public-hostname": guest.hostname,
        "public-ipv4": floating,
        "reservation-id": server.reservation_id,
        "security-groups": "\n".join(server.security_groups),
    }
    if server.key_name and server.public_key:
        meta["public-keys"] = {"0": {"openssh-key": server.public_key, "": server.key_name}}
    tree: dict[str, Any] = {"meta-data": meta}
    if server.user_data is not None:
        tree["user-data"] = base64.b64decode(server.user_data)
    return tree


def _ec2_id(prefix: str, uuid: str) -> str:
    return f"{prefix}-{uuid.replace('-', '')[:8]}"


def _json(document: dict[str, Any]) -> bytes:
    return msgspec.json.encode(document)
