"""What DHCP calls a card: by the name that its port was given for DNS, else by its server's name, else by its address. Pure."""

import re

_LEGAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)*")
"""Names that a DHCP server hands out; Nova lets servers have others as well, such as ``-x``."""


def of_card(dns_name: str, name: str, address: str) -> str:
    """The name of a card with this address."""
    return dns_name or (name if _LEGAL.fullmatch(name) else of_address(address))


def of_address(address: str) -> str:
    """``host-10-0-0-5``."""
    return f"host-{address.replace('.', '-').replace(':', '-')}"
