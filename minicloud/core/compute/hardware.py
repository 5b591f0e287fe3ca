"""The machine that flavor and image together ask for: what is allowed of it, and how many sockets, cores and threads it has.

Pure. Rules and messages are Nova's (nova 34.0.0: virt/hardware.py, objects/image_meta.py).
"""

from collections.abc import Mapping

import msgspec

from minicloud.base.errors import Invalid

BUSES = ("fdc", "ide", "sata", "scsi", "usb", "virtio", "xen", "lxc", "uml")
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "hw_disk_bus": BUSES,
    "hw_cdrom_bus": BUSES,
    "hw_rescue_bus": BUSES,
    "hw_firmware_type": ("uefi", "bios"),
    "hw_input_bus": ("usb", "virtio"),
    "hw_pointer_model": ("usbtablet",),
    "hw_rng_model": ("virtio",),
    "hw_scsi_model": (
        *("buslogic", "ibmvscsi", "lsilogic", "lsisas1068", "lsisas1078", "virtio-scsi", "vmpvscsi"),
        *("lsilogicsas", "paravirtual"),
    ),
    "hw_video_model": ("cirrus", "qxl", "vga", "vmvga", "xen", "virtio", "gop", "none", "bochs"),
    "hw_vif_model": (
        *("virtio", "ne2k_pci", "pcnet", "rtl8139", "e1000", "e1000e", "netfront", "spapr-vlan", "lan9118", "igb"),
        *("sriov", "vmxnet", "vmxnet3", "virtuale1000", "virtuale1000e", "virtualpcnet32", "virtualvmxnet3"),
    ),
    "hw_watchdog_action": ("none", "pause", "poweroff", "reset", "disabled"),
    "os_secure_boot": ("required", "disabled", "optional"),
}
"""Words that an image's property may be."""

_NUMBERS = tuple(f"hw_cpu_{limit}{what}" for limit in ("", "max_") for what in ("sockets", "cores", "threads"))
_ANY_NUMBER = 65536


class Sockets(msgspec.Struct, frozen=True):
    """How a guest's CPUs are spread: sockets times cores times threads."""

    sockets: int
    cores: int
    threads: int


def check(flavor_name: str, vcpus: int, specs: Mapping[str, str], properties: Mapping[str, str]) -> None:
    """Raises Invalid where the image asks for what there is not, or for something else than the flavor."""
    for name, words in ALLOWED.items():
        said = properties.get(name)
        if said is not None and said.lower() not in words:
            raise Invalid(
                f"Invalid input received: Invalid image metadata. Error: Field value {said} is invalid", property=name
            )
    for name in _NUMBERS:
        if name in properties and not properties[name].isdigit():
            raise Invalid(
                f"Invalid input received: Invalid image metadata. Error: invalid literal for int() with base 10: "
                f"'{properties[name]}'",
                property=name,
            )
    spread(vcpus, specs, properties)
    flavor, image = specs.get("os:secure_boot"), properties.get("os_secure_boot")
    if flavor and image and flavor != image:
        raise Invalid(
            f"Flavor {flavor_name} has os:secure_boot extra spec explicitly set to {flavor}, conflicting with image which "
            f"has os_secure_boot explicitly set to {image}."
        )
    if vcpus > 1:
        _agree("vif_multiqueue_enabled", flavor_name, specs, properties)
    _agree("virtio_packed_ring", flavor_name, specs, properties)
    action = watchdog(specs, properties)
    if action is not None and action not in ALLOWED["hw_watchdog_action"]:
        raise Invalid(f"Provided watchdog action ({action}) is not supported.")


def spread(vcpus: int, specs: Mapping[str, str], properties: Mapping[str, str]) -> Sockets:
    """The best way to spread the CPUs. Raises Invalid: image beyond flavor, or nothing fits the limits."""
    flavor_most, image_most = _counts("max_", specs, properties)
    if any(mine and theirs > mine for mine, theirs in zip(flavor_most, image_most, strict=True)):
        raise Invalid(
            f"Image vCPU topology limits ({_said(image_most)}) exceeds the limits of the flavor ({_said(flavor_most)})"
        )
    most = tuple(image or flavor or _ANY_NUMBER for flavor, image in zip(flavor_most, image_most, strict=True))
    flavor_wish, image_wish = _counts("", specs, properties)
    if any(wish > limit for wish, limit in zip(image_wish, most, strict=True)):
        raise Invalid(
            f"Image vCPU topology ({_said(image_wish)}) exceeds the limits of the flavor or image ({_said(most)})"
        )
    if any(wish > limit for wish, limit in zip(flavor_wish, most, strict=True)):
        flavor_wish = (0, 0, 0)
    wish = image_wish if any(image_wish) else flavor_wish
    sockets, cores, threads = (min(vcpus, limit) for limit in most)
    possible = [
        Sockets(s, c, vcpus // (s * c))
        for s in range(1, sockets + 1)
        if vcpus % s == 0
        for c in range(1, cores + 1)
        if (vcpus // s) % c == 0 and vcpus // (s * c) <= threads
    ]
    if not possible:
        raise Invalid(
            f"Requested vCPU limits {sockets}:{cores}:{threads} are impossible to satisfy for vcpus count {vcpus}"
        )
    # As many cores as can be before threads, sockets before cores; then what was wished for.
    possible.sort(key=lambda one: (one.sockets * one.cores, one.sockets, one.threads), reverse=True)
    return max(possible, key=lambda one: _score(one, wish))


def watchdog(specs: Mapping[str, str], properties: Mapping[str, str]) -> str | None:
    """What a watchdog shall do; None: there is none. The image has the last word."""
    action = properties.get("hw_watchdog_action") or specs.get("hw:watchdog_action") or "disabled"
    return None if action == "disabled" else action


def is_true(text: str | None) -> bool:
    """A setting as OpenStack reads truth."""
    return (text or "").strip().lower() in ("1", "t", "true", "on", "y", "yes")


def _agree(key: str, flavor_name: str, specs: Mapping[str, str], properties: Mapping[str, str]) -> None:
    flavor, image = specs.get(f"hw:{key}"), properties.get(f"hw_{key}")
    if flavor is not None and image is not None and is_true(flavor) != is_true(image):
        raise Invalid(
            f"Flavor {flavor_name} has hw:{key} extra spec explicitly set to {is_true(flavor)}, conflicting with image "
            f"which has hw_{key} explicitly set to {is_true(image)}."
        )


def _counts(
    limit: str, specs: Mapping[str, str], properties: Mapping[str, str]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    names = [f"cpu_{limit}{what}" for what in ("sockets", "cores", "threads")]
    try:
        flavor = tuple(int(specs.get(f"hw:{name}", 0)) for name in names)
    except ValueError as error:
        raise Invalid(f"Invalid flavor extra spec. Error: {error}") from error
    return flavor, tuple(int(text) if (text := properties.get(f"hw_{name}", "")).isdigit() else 0 for name in names)


def _said(counts: tuple[int, ...]) -> str:
    return f"sockets={counts[0]}, cores={counts[1]}, threads={counts[2]}"


def _score(one: Sockets, wish: tuple[int, ...]) -> int:
    return sum(
        wished and wished == is_ for wished, is_ in zip(wish, (one.sockets, one.cores, one.threads), strict=True)
    )
