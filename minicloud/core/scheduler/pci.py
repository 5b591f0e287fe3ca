"""PCI devices: what a server asks for by the flavor's aliases or its ports, and which of a host's devices it gets; pure.

An alias says of what make a device is; its NUMA policy says how near the device must be to the server's CPUs.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from minicloud.base.errors import Invalid
from minicloud.core.compute.details import Device

KEY = "pci_passthrough:alias"
REQUIRED, LEGACY, PREFERRED, SOCKET = "required", "legacy", "preferred", "socket"
POLICIES = (REQUIRED, LEGACY, PREFERRED, SOCKET)


class Alias(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of device by name, as an administrator defines it; what is empty may be anything."""

    name: str
    vendor_id: str = ""
    product_id: str = ""
    device_type: str = ""
    numa_policy: str = LEGACY
    physical_network: str = ""
    traits: tuple[str, ...] = ()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """So many devices, each of one of these kinds, with this NUMA policy."""

    count: int
    kinds: tuple[Alias, ...]
    policy: str = LEGACY

    @property
    def name(self) -> str:
        """How the devices are called in words."""
        return self.kinds[0].name if self.kinds else "?"


def aliases_of(text: str) -> tuple[Alias, ...]:
    """Aliases out of a setting: a JSON list of objects, as Nova's ``[pci] alias`` holds one by one. Raises Invalid."""
    if not text.strip():
        return ()
    try:
        found = msgspec.json.decode(text, type=tuple[Alias, ...])
    except msgspec.DecodeError as error:
        raise Invalid(f"The setting pci_alias cannot be read: {error}") from error
    for one in found:
        if one.numa_policy not in POLICIES:
            raise Invalid(f"The setting pci_alias: numa_policy of {one.name} is one of {', '.join(POLICIES)}")
    return found


def asked_devices(
    extra_specs: Mapping[str, str], image_properties: Mapping[str, str], aliases: Iterable[Alias]
) -> list[Asked]:
    """The devices that a flavor asks for. Raises Invalid, in Nova's words, for an alias that nobody defined."""
    text = extra_specs.get(KEY, "")
    if not text:
        return []
    policy = _policy(extra_specs, image_properties)
    known: dict[str, list[Alias]] = {}
    for alias in aliases:
        known.setdefault(alias.name, []).append(alias)
    found = []
    for part in text.split(","):
        name, _, count = part.strip().rpartition(":")
        if not name or not count.isdigit() or int(count) < 1:
            raise Invalid(f"Invalid PCI alias definition: {part.strip()!r} should be name:count")
        if name not in known:
            raise Invalid(f"PCI alias {name} is not defined")
        kinds = tuple(known[name])
        found.append(Asked(count=int(count), kinds=kinds, policy=policy or kinds[0].numa_policy))
    return found


def port_device(physical_network: str) -> Asked:
    """The virtual function that a port of kind ``direct`` asks for."""
    kind = Alias(name=f"a device on {physical_network}", physical_network=physical_network, device_type="type-VF")
    return Asked(count=1, kinds=(kind,))


def assign(
    devices: Sequence[Device],
    taken: frozenset[str],
    asked: Sequence[Asked],
    *,
    cells: Collection[int] | None = None,
) -> list[Device] | str:
    """A device for each that is asked for; else, as a clause that can follow the host's name, what it lacks.

    ``cells``: the host cells that the server sits on, None where it sits on none in particular. A physical function and its
    virtual ones exclude each other: whoever has one makes the others unavailable.
    """
    chosen: list[Device] = []
    for wish in asked:
        for _ in range(wish.count):
            gone = taken | {device.address for device in chosen}
            free = [
                device
                for device in devices
                if is_free(device, devices, gone) and any(_matches(device, kind) for kind in wish.kinds)
            ]
            near = [device for device in free if _near(device, wish.policy, cells)]
            # Devices of no cell are left for those who do not care, unless nothing else is free.
            order = sorted(near, key=lambda device: (_far(device, cells), device.cell is None, device.address))
            if not order:
                total = sum(any(_matches(device, kind) for kind in wish.kinds) for device in devices)
                place = " near its CPUs" if free and cells is not None else ""
                return f"wants {wish.count} of {wish.name}{place}, has {len(near)} of {total} free"
            chosen.append(order[0])
    return chosen


def is_free(device: Device, devices: Sequence[Device], taken: Collection[str]) -> bool:
    """Whether nobody has the device, nor its physical function, nor a virtual one of it."""
    if device.address in taken or (device.parent is not None and device.parent in taken):
        return False
    return not any(other.parent == device.address and other.address in taken for other in devices)


def free_count(devices: Sequence[Device], taken: Collection[str]) -> int:
    """How many devices of a host could still be given away, one by one."""
    return sum(is_free(device, devices, taken) for device in devices)


def _policy(specs: Mapping[str, str], properties: Mapping[str, str]) -> str:
    flavor = specs.get("hw:pci_numa_affinity_policy", "")
    image = properties.get("hw_pci_numa_affinity_policy", "")
    for policy in (flavor, image):
        if policy and policy not in POLICIES:
            raise Invalid(f"Invalid PCI NUMA affinity configured: {policy}")
    if flavor and image and flavor != image:
        raise Invalid(
            "Image property 'hw_pci_numa_affinity_policy' is not permitted to override the 'hw:pci_numa_affinity_policy' "
            "flavor extra spec."
        )
    return flavor or image


def _matches(device: Device, kind: Alias) -> bool:
    wanted: dict[str, Any] = {
        "vendor_id": kind.vendor_id,
        "product_id": kind.product_id,
        "kind": kind.device_type,
        "physical_network": kind.physical_network,
    }
    return all(not value or getattr(device, name) == value for name, value in wanted.items()) and set(
        kind.traits
    ) <= set(device.traits)


def _near(device: Device, policy: str, cells: Collection[int] | None) -> bool:
    if cells is None or policy == PREFERRED:
        return True
    if device.cell is None:
        return policy == LEGACY
    return device.cell in cells


def _far(device: Device, cells: Collection[int] | None) -> bool:
    return cells is not None and device.cell not in cells
