"""Anti-spoofing: nftables text that ties each tap to its MAC and addresses, in the bridge family of a network's namespace.

Security groups name members by their addresses; they may trust addresses because of what stands here. Their table is another
one, so that either can be loaded without touching the other.
"""

import ipaddress

from minicloud.drivers.fabric import Port
from minicloud.drivers.fabric.linux.names import EDGE, TAP, UPLINK, bridge_mac, device


def base(network_id: str) -> str:
    """The network's table: which chain each tap has, and no way for a tap that has none. Loading it again keeps all ports.

    What the network itself sends, DHCP or whoever reaches for a guest, is filtered on no host; nobody there may pose as it.
    """
    own = bridge_mac(network_id)
    return f"""\
add table bridge guard
add map bridge guard ports {{ type ifname : verdict; }}
add chain bridge guard entry {{ type filter hook prerouting priority -300; policy accept; }}
flush chain bridge guard entry
add rule bridge guard entry iifname vmap @ports
add rule bridge guard entry iifname "{TAP}*" counter drop
add rule bridge guard entry iifname "{EDGE}*" ether saddr {own} counter drop
add chain bridge guard own {{ type filter hook forward priority -5; policy accept; }}
flush chain bridge guard own
add rule bridge guard own iifname "{UPLINK}" ether saddr {own} meta mark set 0
"""


def allow(port: Port) -> str:
    """What this port may send; loading it again replaces the port's rules at once."""
    chain, tap = _chain(port.id), device(TAP, port.id)
    rules = ["accept"] if not port.port_security else _rules(port)
    if port.quality.dscp is not None:
        rules = [f"{family} dscp set {port.quality.dscp}" for family in ("ip", "ip6")] + rules
    lines = [f"add chain bridge guard {chain}", f"flush chain bridge guard {chain}"]
    lines += [f"add rule bridge guard {chain} {rule}" for rule in rules]
    lines += [f'add element bridge guard ports {{ "{tap}" : jump {chain} }}']
    return "".join(f"{line}\n" for line in lines)


def forbid(port_id: str) -> str:
    """Nothing of this port is left in the table, whether or not there was anything."""
    chain, tap = _chain(port_id), device(TAP, port_id)
    element = f'bridge guard ports {{ "{tap}" : jump {chain} }}'
    return (
        f"add chain bridge guard {chain}\nadd element {element}\ndelete element {element}\n"
        f"flush chain bridge guard {chain}\ndelete chain bridge guard {chain}\n"
    )


def _chain(port_id: str) -> str:
    return device("p_", port_id).replace("-", "_")


def _rules(port: Port) -> list[str]:
    mac = port.mac.lower()
    pairs: dict[str, list[str]] = {mac: list(port.addresses)}
    for address, other in port.allowed_pairs:
        pairs.setdefault(other.lower(), []).append(str(ipaddress.ip_network(address, strict=False)))
    rules = [
        f"ether saddr != {{ {', '.join(pairs)} }} counter drop",
        # Asking for an address, and nothing else, is done without one; answering is for the network alone.
        f"ether saddr {mac} ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept",
        # What QEMU says after a move, so that bridges learn where the card is now; it tells of nothing but the MAC.
        f"ether saddr {mac} ether type 0x8035 accept",
        "udp sport { 67, 547 } counter drop",
        "icmpv6 type { nd-router-advert, nd-redirect } counter drop",
    ]
    for card, addresses in pairs.items():
        four = ", ".join(a for a in addresses if ":" not in a)
        six = ", ".join(["::", link_local(card), *(a for a in addresses if ":" in a)])
        if four:
            rules.append(f"ether saddr {card} ip saddr {{ {four} }} accept")
            rules.append(f"ether saddr {card} arp saddr ether {card} arp saddr ip {{ 0.0.0.0, {four} }} accept")
        # A neighbour advertisement says in its body (its bytes 8 to 23) which address lives here.
        told = ", ".join(_range(a) for a in [link_local(card), *(a for a in addresses if ":" in a)])
        rules.append(f"ether saddr {card} icmpv6 type nd-neighbor-advert @th,64,128 != {{ {told} }} counter drop")
        rules.append(f"ether saddr {card} ip6 saddr {{ {six} }} accept")
    return [*rules, "counter drop"]


def _range(addresses: str) -> str:
    """IPv6 addresses as numbers, which is how nftables compares raw bytes."""
    net = ipaddress.IPv6Network(addresses, strict=False)
    first, last = int(net.network_address), int(net.broadcast_address)
    return f"{first:#x}" if first == last else f"{first:#x}-{last:#x}"


def link_local(mac: str) -> str:
    """The IPv6 address that a card gives itself on its link, made from its MAC."""
    octets = bytearray.fromhex(mac.replace(":", ""))
    octets[0] ^= 2
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes(octets[:3]) + b"\xff\xfe" + bytes(octets[3:])))
