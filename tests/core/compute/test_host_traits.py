"""Traits of hosts: only such as os-traits knows, those that drivers really can, and CPU flags by the names of traits."""

from typing import get_args

from minicloud.core.compute import host_traits
from minicloud.core.placement.names import standard_traits
from minicloud.drivers.hypervisor.specs import Bus, NicModel


def test_all_are_known() -> None:
    found = host_traits.of_host("x86_64", [])
    assert found <= standard_traits()
    assert {"HW_ARCH_X86_64", "COMPUTE_ARCH_X86_64", "COMPUTE_NODE", "COMPUTE_STORAGE_BUS_VIRTIO"} <= found
    assert len(found) == len(host_traits.ABILITIES) + 10 + 4 + 8 + 7 + 2


def test_devices_are_those_of_the_drivers() -> None:
    # SATA is what IDE is on the machines that there are.
    assert {bus.lower() for bus in host_traits.BUSES} <= {*get_args(Bus), "sata"}
    assert {model.lower() for model in host_traits.NICS} == set(get_args(NicModel))


def test_flags_are_traits() -> None:
    found = host_traits.of_host("x86_64", ["avx2", "sse4.1", "aes", "vmx", "unheard-of"])
    flags = {name.removeprefix("HW_CPU_X86_") for name in found if name.startswith("HW_CPU")}
    assert flags == {"AVX2", "SSE41", "AESNI", "VMX", "INTEL_VMX"}
