"""Traits that hosts say of themselves, by the names of os-traits: what their hypervisor can give to guests, and what their CPUs can."""

from collections.abc import Iterable

from minicloud.core.placement.names import standard_traits

IMAGE_TYPES = ("RAW", "QCOW2", "ISO", "VMDK", "VDI", "VHD", "VHDX", "AKI", "AMI", "ARI")
BUSES = ("VIRTIO", "SCSI", "IDE", "SATA")
NICS = ("VIRTIO", "E1000", "E1000E", "IGB", "RTL8139", "NE2K_PCI", "PCNET", "VMXNET3")
VIDEO = ("BOCHS", "CIRRUS", "NONE", "QXL", "VGA", "VIRTIO", "VMVGA")
ABILITIES = (
    "COMPUTE_DEVICE_TAGGING",
    "COMPUTE_NET_ATTACH_INTERFACE",
    "COMPUTE_NET_ATTACH_INTERFACE_WITH_TAG",
    "COMPUTE_NODE",
    "COMPUTE_SAME_HOST_COLD_MIGRATE",
)
OWN = (
    "COMPUTE_ARCH_",
    "COMPUTE_GRAPHICS_MODEL_",
    "COMPUTE_IMAGE_TYPE_",
    "COMPUTE_NET_VIF_MODEL_",
    "COMPUTE_STORAGE_BUS_",
    "HW_ARCH_",
)
"""Beginnings of the traits that only the host itself says; all others may be an operator's."""

_FLAGS = {
    "aes": ("AESNI",),
    "bmi1": ("BMI",),
    "fma": ("FMA3",),
    "gfni": ("AVX512GFNI",),
    "pclmuldq": ("CLMUL",),
    "pclmulqdq": ("CLMUL",),
    "sha-ni": ("SHA",),
    "sha_ni": ("SHA",),
    "svm": ("SVM", "AMD_SVM"),
    "vaes": ("AVX512VAES",),
    "vmx": ("VMX", "INTEL_VMX"),
    "vpclmulqdq": ("AVX512VPCLMULQDQ",),
}
"""CPU flags whose trait is called otherwise than they are."""


def of_host(cpu_arch: str, cpu_features: Iterable[str]) -> set[str]:
    """The traits of a host with CPUs of this architecture and with these flags."""
    found = {
        *ABILITIES,
        *(f"COMPUTE_IMAGE_TYPE_{kind}" for kind in IMAGE_TYPES),
        *(f"COMPUTE_STORAGE_BUS_{bus}" for bus in BUSES),
        *(f"COMPUTE_NET_VIF_MODEL_{model}" for model in NICS),
        *(f"COMPUTE_GRAPHICS_MODEL_{model}" for model in VIDEO),
        f"HW_ARCH_{cpu_arch.upper()}",
        f"COMPUTE_ARCH_{cpu_arch.upper()}",
    }
    for flag in cpu_features:
        names = _FLAGS.get(flag, (flag.upper().replace(".", "").replace("-", ""),))
        found.update(f"HW_CPU_X86_{name}" for name in names)
    return found & standard_traits()
