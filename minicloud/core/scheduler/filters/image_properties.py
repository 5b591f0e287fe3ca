"""ImagePropertiesFilter: the architecture, hypervisor, machine mode and version that an image asks for."""

import re

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_NOTHING = Verdict(True, "the image asks for no kind of host", for_all=True)
_GOOD = Verdict(True, "is of the kind that the image asks for")
_SAME_ARCH = {"amd64": "x86_64", "x86-64": "x86_64", "i386": "i686", "i486": "i686", "i586": "i686", "arm64": "aarch64"}
_SAME_TYPE = {"xapi": "xen", "xenserver": "xen", "powervm": "phyp"}
_VERSION = re.compile(r"\s*(<=|>=|<|>|==|!=)\s*(\d+(?:\.\d+)*)\s*")


class ImagePropertiesFilter:
    """``hw_architecture``, ``img_hv_type``, ``hw_vm_mode``, ``img_hv_requested_version``."""

    name = "ImagePropertiesFilter"

    def __init__(self, options: SchedulerOptions) -> None:
        self._default = options.image_properties_default_architecture

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        asked = request.image_properties
        arch, kind = asked.get("hw_architecture") or self._default, asked.get("img_hv_type")
        mode, version = asked.get("hw_vm_mode"), asked.get("img_hv_requested_version")
        if not arch and not kind and not mode:
            return _NOTHING
        if arch and _SAME_ARCH.get(arch.lower(), arch.lower()) != _SAME_ARCH.get(host.cpu_arch, host.cpu_arch):
            return Verdict(False, f"is {host.cpu_arch}, and the image asks for {arch}")
        mine = host.hypervisor_type.lower()
        if kind and _SAME_TYPE.get(kind.lower(), kind.lower()) not in _kinds(mine):
            return Verdict(False, f"runs {mine}, and the image asks for {kind}")
        if mode and mode.lower() not in ("hvm", "hv"):
            return Verdict(False, f"runs machines of mode hvm, and the image asks for {mode}")
        if version and host.hypervisor_version and not _satisfies(host.hypervisor_version, version):
            return Verdict(False, f"runs version {_written(host.hypervisor_version)}, and the image asks for {version}")
        return _GOOD


def _kinds(mine: str) -> set[str]:
    """The names under which images may ask for a hypervisor: QEMU stands for KVM, and a simulated host for both."""
    return {mine, "qemu", "kvm"} if mine in ("fake", "qemu", "kvm") else {mine}


def _written(number: int) -> str:
    """Nova's number of a version as text: 9000000 is 9.0.0."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def _satisfies(number: int, predicate: str) -> bool:
    """Whether a version meets all parts of ``>=1.0, <2.0``; what cannot be read is met by none."""
    for part in predicate.split(","):
        match = _VERSION.fullmatch(part)
        if match is None:
            return False
        numbers = [int(one) for one in match[2].split(".")[:3]]
        major, minor, patch = (*numbers, 0, 0)[:3]
        wanted = major * 1_000_000 + minor * 1000 + patch
        held = {
            "<": number < wanted,
            "<=": number <= wanted,
            ">": number > wanted,
            ">=": number >= wanted,
            "==": number == wanted,
            "!=": number != wanted,
        }
        if not held[match[1]]:
            return False
    return True
