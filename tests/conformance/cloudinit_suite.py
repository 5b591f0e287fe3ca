"""Boots Debian guests with their own cloud-init in QEMU, and reads on their consoles what cloud-init made of this cloud.

One guest asks the metadata service over DHCP, one reads a configuration drive and has addresses written out, of both versions.
"""

import base64
import re
import time
from pathlib import Path
from typing import Any

from tests.conformance.debian_guest import COMMAND_LINE, DebianGuest, build
from tests.conformance.ledger import Outcome
from tests.conformance.subjects import Subject, a_subject
from tests.conformance.suites import Suite

PATIENCE_S = 1500.0
"""A Debian guest without hardware acceleration takes its minutes."""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHjWMOrIkOaBbzWMcyzLPjTvcNHLFwYpXmjvzaIVh4Rf nobody"
FACTS = """
{
  echo "host name: $(hostname)"
  echo "source: $(cloud-init query platform) $(cloud-init query subplatform)"
  echo "instance: $(cloud-init query instance_id)"
  echo "zone: $(cloud-init query availability_zone)"
  echo "meta: $(cloud-init query ds.meta_data.meta.role)"
  echo "keys: $(cat ~debian/.ssh/authorized_keys)"
  echo "written: $(cat /etc/written)"
  ip -o address show scope global | sed 's/^/address: /'
  ip -o route | sed 's/^/route: /'
  ip -o -6 route | sed 's/^/route: /'
  ip -o link | sed 's/^/link: /'
  echo "names: $(resolvectl dns | tr '\\n' ' ')"
  echo "netplan: $(grep -v '^#' /etc/netplan/50-cloud-init.yaml | tr '\\n' '~')"
  echo "root: $(df -m / | tail -1)"
  echo "status: $(cloud-init status --long | tr '\\n' ' ')"
  echo "told all"
} | sed 's/^/FACT /' >/dev/console 2>&1
"""
CONTENT = r"^status: (status: (done|running)|(?!.*\('(?!locale)).*\('locale')"
"""The small image has no locale but C, which cloud-init's module ``locale`` calls an error; no other module may."""
CLOUD_CONFIG = f"""#cloud-config
write_files:
- path: /etc/written
  content: by cloud-config
runcmd:
- |
{"".join(f"  {line}" for line in FACTS.splitlines(keepends=True))}
"""
SCRIPT = f"#!/bin/sh\necho by a script >/etc/written\n{FACTS}"


def run(suite: Suite, folder: Path, *, tests: str | None) -> dict[str, Outcome]:
    """The outcome of each fact; what the guests said stands in ``dhcp.log`` and ``static.log``. Raises RuntimeError."""
    guest = build()
    with a_subject(folder, **suite.settings) as subject:
        image = _images(subject, guest)
        flavor = {"name": "debian", "ram": 768, "vcpus": 1, "disk": 3}
        flavor_id = (
            subject.http.post("/compute/v2.1/flavors", json={"flavor": flavor})
            .raise_for_status()
            .json()["flavor"]["id"]
        )
        key = {"keypair": {"name": "key", "public_key": KEY}}
        subject.http.post("/compute/v2.1/os-keypairs", json=key).raise_for_status()
        common = {"imageRef": image, "flavorRef": flavor_id, "key_name": "key", "metadata": {"role": "web"}}
        found = _dhcp(subject, folder, common) | _static(subject, folder, common)
    return {name: outcome for name, outcome in found.items() if re.search(tests or "", name)}


def _dhcp(subject: Subject, folder: Path, common: dict[str, Any]) -> dict[str, Outcome]:
    """A guest on the network that every cloud has, with a cloud-config."""
    network = next(
        one["id"] for one in subject.list("network", "/v2.0/networks", "networks") if one["name"] == "private"
    )
    server = {**common, "name": "dhcp", "networks": [{"uuid": network}], "user_data": _data(CLOUD_CONFIG)}
    addresses, server_id, facts = _told(subject, folder, server)
    return _outcomes(
        "dhcp",
        facts,
        {
            "host name": r"^host name: dhcp$",
            "datasource": r"^source: openstack metadata \(http://169\.254\.169\.254\)",
            "instance": f"^instance: {server_id}$",
            "zone": r"^zone: nova$",
            "metadata": r"^meta: web$",
            "key": f"^keys: {re.escape(KEY)}",
            "user data": r"^written: by cloud-config",
            "address": rf"^address: .* {re.escape(addresses[0])}/",
            "default route": r"^route: default via",
            "name server": r"^names: .*\d+\.\d+\.\d+\.\d+",
            "nothing is wrong but the image's locale": CONTENT,
            "the disk grew": r"^root: \S+\s+(2[5-9]\d\d|30\d\d)",
        },
    )


def _static(subject: Subject, folder: Path, common: dict[str, Any]) -> dict[str, Outcome]:
    """A guest with a configuration drive and two cards: one with addresses written out, one that asks by SLAAC."""
    first = _network(subject, "first", mtu=1400)
    _subnet(
        subject,
        first,
        cidr="10.50.0.0/24",
        enable_dhcp=False,
        dns_nameservers=["10.50.0.53"],
        host_routes=[{"destination": "10.99.0.0/16", "nexthop": "10.50.0.9"}],
    )
    _subnet(subject, first, cidr="fd50::/64", ip_version=6, enable_dhcp=False)
    second = _network(subject, "second")
    _subnet(subject, second, cidr="10.51.0.0/24", gateway_ip=None)
    server = {**common, "name": "static", "config_drive": True, "user_data": _data(SCRIPT)}
    server["networks"] = [{"uuid": first}, {"uuid": second}]
    addresses, server_id, facts = _told(subject, folder, server)
    return _outcomes(
        "static",
        facts,
        {
            "host name": r"^host name: static$",
            "datasource": r"^source: (openstack|configdrive) config-disk \(/dev/",
            "instance": f"^instance: {server_id}$",
            "metadata": r"^meta: web$",
            "key": f"^keys: {re.escape(KEY)}",
            "user data": r"^written: by a script",
            "address of version 4": rf"^address: .*{re.escape(next(a for a in addresses if a.startswith('10.50.')))}/24",
            "address of version 6": rf"^address: .*{re.escape(next(a for a in addresses if ':' in a))}/64",
            "address of the second card": rf"^address: .*{re.escape(next(a for a in addresses if a.startswith('10.51.')))}/24",
            "default route of version 4": r"^route: default via 10\.50\.0\.1 ",
            "default route of version 6": r"^route: default via fd50:: ",
            "route of the subnet": r"^route: 10\.99\.0\.0/16 via 10\.50\.0\.9 ",
            "name server": r"^names: .*10\.50\.0\.53",
            "mtu": r"^link: .*eth0.* mtu 1400 ",
        },
    )


def _told(subject: Subject, folder: Path, server: dict[str, Any]) -> tuple[list[str], str, str]:
    """The server's addresses, its id, and what it said of itself, once it has told all. Raises RuntimeError when it does not."""
    made = subject.http.post("/compute/v2.1/servers", json={"server": server}).raise_for_status().json()["server"]["id"]
    at = f"/compute/v2.1/servers/{made}"
    give_up = time.monotonic() + PATIENCE_S
    told = ""
    try:
        while time.monotonic() < give_up and "FACT told all" not in told:
            time.sleep(5)
            answer = subject.http.post(f"{at}/action", json={"os-getConsoleOutput": {}})
            told = answer.json()["output"] if answer.is_success else told
            (folder / f"{server['name']}.log").write_text(told)
        found = subject.http.get(f"{at}/ips").raise_for_status().json()["addresses"]
    finally:
        subject.http.delete(at)
    if "FACT told all" not in told:
        raise RuntimeError(f"the guest {server['name']} has not told all:\n{told[-2000:]}")
    addresses = [one["addr"] for several in found.values() for one in several]
    return addresses, made, "\n".join(re.findall(r"FACT (.*?)\r?$", told, re.MULTILINE))


def _outcomes(guest: str, facts: str, expected: dict[str, str]) -> dict[str, Outcome]:
    return {
        f"{guest}: {name}": "passed" if re.search(pattern, facts, re.MULTILINE) else "failed"
        for name, pattern in expected.items()
    }


def _images(subject: Subject, guest: DebianGuest) -> str:
    """Upload the guest's files; the id of the image that names its kernel and ramdisk."""
    made: dict[str, str] = {}
    for name, path, kind in (
        ("kernel", guest.kernel, "aki"),
        ("ramdisk", guest.ramdisk, "ari"),
        ("debian", guest.disk, "qcow2"),
    ):
        body: dict[str, Any] = {
            "name": name,
            "disk_format": kind,
            "container_format": kind if kind != "qcow2" else "bare",
        }
        if name == "debian":
            body |= {"kernel_id": made["kernel"], "ramdisk_id": made["ramdisk"], "os_command_line": COMMAND_LINE}
        made[name] = subject.http.post("/image/v2/images", json=body).raise_for_status().json()["id"]
        with path.open("rb") as data:
            headers = {"Content-Type": "application/octet-stream"}
            at = f"/image/v2/images/{made[name]}/file"
            subject.http.put(at, content=data, headers=headers, timeout=600).raise_for_status()
    return made["debian"]


def _network(subject: Subject, name: str, **more: Any) -> str:
    made: str = (
        subject.http.post("/network/v2.0/networks", json={"network": {"name": name, **more}})
        .raise_for_status()
        .json()["network"]["id"]
    )
    return made


def _subnet(subject: Subject, network_id: str, **more: Any) -> None:
    body = {"network_id": network_id, "ip_version": 4, **more}
    subject.http.post("/network/v2.0/subnets", json={"subnet": body}).raise_for_status()


def _data(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
