"""Readers of values: what a client may write for an attribute, turned to what core takes; refused in Neutron's words.

A reader returns the value, or raises ValueError with the reason, which the attribute's name is put before, or Invalid.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from minicloud.base.errors import Invalid
from minicloud.base.ids import is_uuid
from minicloud.core.network.addressing import FixedIpWish
from minicloud.core.network.dhcp_options import DhcpOptionWish
from minicloud.core.network.ipam import Pool
from minicloud.core.network.rows import AddressPair, HostRoute

Reader = Callable[[Any], Any]
_MAC = re.compile(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}")
_TRUE = ("1", "t", "true", "on", "y", "yes")
_FALSE = ("0", "f", "false", "off", "n", "no")


def text(longest: int) -> Reader:
    """A string of at most so many characters."""

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"'{value}' is not a valid string")
        if len(value) > longest:
            raise ValueError(f"'{value}' exceeds maximum length of {longest}")
        return value

    return read


name = text(255)
project = text(255)


def boolean(value: Any) -> bool:
    """A truth, in any of the ways in which clients write it."""
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise _invalid(f"'{value}' cannot be converted to boolean")


def integer(value: Any) -> int:
    """A whole number, or one written as text."""
    if isinstance(value, bool) or not isinstance(value, int):
        if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,18}", value.strip()):
            return int(value)
        raise _invalid(f"'{value}' is not an integer")
    if abs(value) >= 2**63:
        raise _invalid(f"'{value}' is not an integer")
    return value


def number_in(lowest: int, highest: int) -> Reader:
    """A whole number within bounds."""

    def read(value: Any) -> int:
        number = integer(value)
        if number < lowest:
            raise ValueError(f"'{number}' is too small - must be at least '{lowest}'")
        if number > highest:
            raise ValueError(f"'{number}' is too large - must be no larger than '{highest}'")
        return number

    return read


def one_of(*choices: Any) -> Reader:
    """One of these values."""

    def read(value: Any) -> Any:
        if isinstance(value, (dict, list)) or value not in choices:
            raise ValueError(f"{value} is not in {list(choices)}")
        return value

    return read


def version(value: Any) -> int:
    """An IP version."""
    number = integer(value)
    if number not in (4, 6):
        raise ValueError(f"{number} is not in [4, 6]")
    return number


def uuid(value: Any) -> str:
    """A UUID."""
    if not isinstance(value, str) or not is_uuid(value):
        raise ValueError(f"'{value}' is not a valid UUID")
    return value


def uuids(value: Any) -> list[str]:
    """A list of UUIDs, each once."""
    if not isinstance(value, list):
        raise ValueError(f"'{value}' is not a list")
    if len({str(item) for item in value}) != len(value):
        twice = sorted({str(item) for item in value if value.count(item) > 1})
        raise ValueError(f"Duplicate items in the list: '{', '.join(twice)}'")
    return [uuid(item) for item in value]


def ip(value: Any) -> str:
    """An address, in its canonical form."""
    if not isinstance(value, str) or re.search(r"[\s/%]", value):
        raise ValueError(f"'{value}' is not a valid IP address")
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(f"'{value}' is not a valid IP address") from None


def cidr(value: Any) -> str:
    """A subnet, in its canonical form."""
    if not isinstance(value, str) or "/" not in value:
        raise ValueError(f"'{value}' is not a valid IP subnet")
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError(f"'{value}' is not a valid IP subnet") from None


def mac(value: Any) -> str:
    """A card's address, in its canonical form."""
    if not isinstance(value, str) or not _MAC.fullmatch(value) or value.replace("-", ":") == "00:00:00:00:00:00":
        raise ValueError(f"'{value}' is not a valid MAC address")
    return value.replace("-", ":").lower()


def or_none(reader: Reader) -> Reader:
    """A reader that also takes null."""
    return lambda value: None if value is None else reader(value)


def or_empty(reader: Reader) -> Reader:
    """A list reader that takes null for an empty list."""
    return lambda value: [] if value is None else reader(value)


def dictionary(value: Any) -> dict[str, Any]:
    """An object, or null for an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"'{value}' is not a dictionary")
    return value


def pools(value: Any) -> list[Pool]:
    """Allocation pools."""
    if not isinstance(value, list):
        raise ValueError(f"Invalid data format for IP pool: '{value}'")
    return [Pool(ip(item["start"]), ip(item["end"])) for item in _objects(value, ("start", "end"))]


def nameservers(value: Any) -> list[str]:
    """Addresses of name servers, each once."""
    if not isinstance(value, list):
        raise ValueError(f"Invalid data format for nameserver: '{value}'")
    found: list[str] = []
    for item in value:
        try:
            server = ip(item)
        except ValueError as error:
            raise ValueError(f"'{item}' is not a valid nameserver. {error}") from None
        if server in found:
            raise ValueError(f"Duplicate nameserver '{server}'")
        found.append(server)
    return found


def routes(value: Any) -> list[HostRoute]:
    """Destinations with next hops, each once."""
    if not isinstance(value, list):
        raise ValueError(f"Invalid data format for hostroute: '{value}'")
    found: list[HostRoute] = []
    for item in _objects(value, ("destination", "nexthop")):
        destination = item["destination"]
        try:
            net = cidr(destination)
        except ValueError:
            raise ValueError(f"'{destination}' is not a valid CIDR") from None
        route = HostRoute(net, ip(item["nexthop"]))
        if route in found:
            raise ValueError(f"Duplicate hostroute '{item}'")
        found.append(route)
    return found


def fixed_ips(value: Any) -> list[FixedIpWish]:
    """Addresses that a port is to have."""
    if not isinstance(value, list):
        raise ValueError(f"Invalid data format for fixed IP: '{value}'")
    found: list[FixedIpWish] = []
    for item in value:
        if not isinstance(item, dict) or set(item) - {"subnet_id", "ip_address"}:
            raise ValueError(f"Invalid data format for fixed IP: '{item}'")
        address = None if item.get("ip_address") is None else ip(item["ip_address"])
        if address is not None and any(address == wish.ip_address for wish in found):
            raise ValueError(f"Duplicate IP address '{address}'")
        found.append(FixedIpWish(None if item.get("subnet_id") is None else uuid(item["subnet_id"]), address))
    return found


def address_pairs(value: Any) -> list[AddressPair]:
    """Further sources of a port, each once."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Invalid("Allowed address pairs must be a list.", kind="HTTPBadRequest")
    found: list[AddressPair] = []
    if len(value) > 10:
        raise Invalid("The number of allowed address pair exceeds the maximum 10.", kind="AllowedAddressPairExhausted")
    for item in value:
        if not isinstance(item, dict):
            raise Invalid("Invalid data format for allowed address pairs", kind="HTTPBadRequest")
        extra = sorted(set(item) - {"ip_address", "mac_address"})
        if extra:
            raise Invalid(f"Unrecognized attribute(s) '{', '.join(extra)}'", kind="HTTPBadRequest")
        if "ip_address" not in item:
            raise Invalid("AllowedAddressPair must contain ip_address", kind="AllowedAddressPairsMissingIP")
        place = item["ip_address"]
        try:
            place = str(ipaddress.ip_network(place)) if "/" in str(place) else ip(place)
        except (ValueError, TypeError):
            raise ValueError(f"'{place}' is not a valid IP subnet") from None
        pair = AddressPair(place, None if item.get("mac_address") is None else mac(item["mac_address"]))
        if pair in found:
            raise Invalid(
                f"Request contains duplicate address pair: mac_address {pair.mac_address} ip_address {pair.ip_address}.",
                kind="DuplicateAddressPairInRequest",
            )
        found.append(pair)
    return found


def tags(value: Any) -> list[str]:
    """Short words, each once, sorted as upstream keeps them."""
    if not isinstance(value, list):
        raise ValueError(f"'{value}' is not a list")
    for item in value:
        text(255)(item)
        if not item.strip():
            raise ValueError(f"'{item}' Blank strings are not permitted")
    return sorted(_once(value))


def zone_hints(value: Any) -> list[str]:
    """Availability zones, each once."""
    if not isinstance(value, list):
        raise ValueError(f"'{value}' is not a list")
    return _once([text(255)(item) for item in value])


def _once(words: list[str]) -> list[str]:
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice:
        raise ValueError(f"Duplicate items in the list: '{', '.join(twice)}'")
    return words


def dhcp_options(value: Any) -> list[DhcpOptionWish]:
    """Further options of DHCP; one without a value is to be taken away."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"'{value}' is not a list")
    found: list[DhcpOptionWish] = []
    for item in value:
        if not isinstance(item, dict) or set(item) - {"opt_name", "opt_value", "ip_version"}:
            raise ValueError(f"Invalid data format for extra-dhcp-opt: '{item}'")
        if "opt_name" not in item or "opt_value" not in item:
            raise ValueError(f"Invalid data format for extra-dhcp-opt: '{item}'")
        name = text(64)(item["opt_name"])
        option = None if item["opt_value"] is None else text(255)(item["opt_value"])
        if not name.strip() or "\n" in name or (option is not None and "\n" in option):
            raise ValueError(f"Invalid data format for extra-dhcp-opt: '{item}'")
        if option is not None and not option.strip() and name not in ("router", "classless-static-route"):
            raise ValueError(f"'{option}' Blank strings are not permitted")
        found.append(DhcpOptionWish(name, option, version(item.get("ip_version", 4))))
    return found


def service_types(value: Any) -> list[str]:
    """The owners of devices that a subnet's addresses are for."""
    if not value:
        return []
    if not isinstance(value, list):
        raise Invalid("Subnet service types must be a list.", kind="HTTPBadRequest")
    for item in value:
        if not isinstance(item, str):
            raise Invalid(f"Subnet service type {item} is not a string.", kind="InvalidInputSubnetServiceType")
        # Upstream means to allow what begins with compute:, and allows what begins with one of its letters.
        if not item.startswith(("network:", "neutron:", *"compute:")):
            raise Invalid(
                f"Subnet service type {item} does not correspond to a valid device owner.",
                kind="InvalidSubnetServiceType",
            )
    return value


def _objects(value: list[Any], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    for item in value:
        if not isinstance(item, dict):
            raise ValueError(f"Invalid input. '{item}' must be a dictionary with keys: {list(keys)}")
        if set(item) != set(keys):
            raise ValueError(
                f"Validation of dictionary's keys failed. Expected keys: {sorted(keys)} Provided keys: {sorted(item)}"
            )
    return value


def _invalid(reason: str) -> Invalid:
    return Invalid(f"Invalid input for operation: {reason}.", kind="InvalidInput")
