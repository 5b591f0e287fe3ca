"""Names in DNS: reading those of hosts and domains as Neutron's validators do, and what names a port has."""

import re
from collections.abc import Sequence
from typing import Any

from minicloud.core.network import dhcp_names
from minicloud.core.network.addressing import FixedIp
from minicloud.core.network.rows import Port

LONGEST = 255
DOMAIN = "openstacklocal."
"""The domain that DHCP tells guests of."""
_LABEL = re.compile(r"[a-zA-Z0-9-]{1,63}")


def host(value: Any) -> str:
    """The name of a host, with its domain or without one."""
    return _name(value, "PQDN or FQDN")


def floating_host(value: Any) -> str:
    """The name of a floating address, without its domain."""
    if isinstance(value, str) and value.endswith("."):
        raise ValueError(f"'{value}' is a FQDN. It should be a relative domain name")
    return host(value)


def domain(value: Any) -> str:
    """A domain, which ends in a dot."""
    name = _name(value, "FQDN")
    if name and not name.endswith("."):
        raise ValueError(f"'{value}' is not a FQDN")
    return name


def assignment(port: Port, fixed_ips: Sequence[FixedIp]) -> list[dict[str, str]]:
    """The names under which a port's addresses are found."""
    found = []
    for fixed in fixed_ips:
        name = port.dns_name or port.hostname or dhcp_names.of_address(fixed.ip_address)
        full = name if name.endswith(".") else f"{name}.{DOMAIN}"
        found.append({"ip_address": fixed.ip_address, "hostname": name, "fqdn": full})
    return found


def _name(value: Any, kind: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"'{value}' is not a valid string")
    if not value:
        return value
    reason = _fault(value.removesuffix("."))
    if reason:
        raise ValueError(f"'{value}' not a valid {kind}. Reason: {reason}")
    return value.lower()


def _fault(name: str) -> str:
    if len(name) > LONGEST:
        return f"'{name}' exceeds the {LONGEST} character FQDN limit"
    labels = name.split(".")
    for label in labels:
        if not label:
            return "Encountered an empty component"
        if label.endswith("-") or label.startswith("-"):
            return f"Name '{label}' must not start or end with a hyphen"
        if not _LABEL.fullmatch(label):
            return f"Name '{label}' must be 1-63 characters long, each of which can only be alphanumeric or a hyphen"
    return f"TLD '{labels[-1]}' must not be all numeric" if len(labels) > 1 and labels[-1].isdecimal() else ""
