"""How everything is called on the machine, so that it is found again without any list: namespaces by id, devices by a part of it."""

import hashlib
import re

from minicloud.base.errors import Invalid
from minicloud.base.ids import is_uuid

BRIDGE = "br0"
TAP, DETOUR = "tap", "ifb"
"""First letters of a machine's devices: its tap, and what its frames go through when it may not send as fast as it likes."""

ROUTER_SIDE, GATEWAY_SIDE, NETWORK_SIDE, HOST_SIDE = "qr-", "qg-", "rp-", "mch"
"""First letters of other devices: a router's two kinds of interfaces, their ends on the network, the host's leg."""

EDGE, UPLINK = "ed-", "up0"
"""Ends of what joins a host's part of a network to the network: first letters of the one there, name of the host's own."""

HOST_LEG = "host0"
"""The network's end of the leg to the machine itself."""

METADATA = "169.254.169.254"


def check_cloud_id(cloud_id: str) -> None:
    """Refuse a cloud id that is too long for names. Raises Invalid."""
    if not re.fullmatch(r"[a-z0-9]{1,16}", cloud_id):
        raise Invalid(f"{cloud_id!r} is no cloud id: at most 16 small letters and digits")


def prefix(cloud_id: str) -> str:
    """What all namespaces of a cloud start with."""
    return f"mc-{cloud_id}-"


def network_namespace(cloud_id: str, network_id: str) -> str:
    return f"mc-{cloud_id}-n-{network_id}"


def router_namespace(cloud_id: str, router_id: str) -> str:
    return f"mc-{cloud_id}-r-{router_id}"


def parse_namespace(cloud_id: str, name: str) -> tuple[str, str] | None:
    """``("n", network id)`` or ``("r", router id)`` of a namespace of this cloud; None for others."""
    if not name.startswith(prefix(cloud_id)):
        return None
    kind, _, found = name[len(prefix(cloud_id)) :].partition("-")
    return (kind, found) if kind in ("n", "r") and found else None


def edge_namespace(cloud_id: str, network_id: str, host: str) -> str:
    """A host's own part of a network, where a process keeps several hosts."""
    return f"{_edges(cloud_id)}{network_id}@{host}"


def parse_edge(cloud_id: str, name: str) -> tuple[str, str] | None:
    """(network id, host) of a host's part of a network of this cloud; None for other namespaces."""
    if not name.startswith(_edges(cloud_id)):
        return None
    network_id, _, host = name[len(_edges(cloud_id)) :].partition("@")
    return network_id, host


def _edges(cloud_id: str) -> str:
    return f"mc-{cloud_id}-e-"


def device(first: str, of: str) -> str:
    """A device's name, at most 15 letters: of a UUID its first eleven characters, as Neutron does, else a digest."""
    if is_uuid(of):
        return first + of[: 14 - len(first)]
    return first + hashlib.sha256(of.encode()).hexdigest()[: 14 - len(first)]


def host_side(cloud_id: str, network_id: str) -> str:
    """The machine's own end of its leg on a network; two clouds never share it."""
    return HOST_SIDE + hashlib.sha256(f"{cloud_id}/{network_id}".encode()).hexdigest()[:11]


def bridge_mac(network_id: str, host: str = "") -> str:
    """The bridge's fixed MAC: a bridge without one takes over a port's and confuses every neighbour when that port goes."""
    digest = hashlib.sha256(f"{network_id}{host}".encode()).hexdigest()
    return "02:" + ":".join(digest[i : i + 2] for i in range(0, 10, 2))
