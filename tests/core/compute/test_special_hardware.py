"""What flavors and images ask for beside amounts becomes traits and classes that Placement is asked for."""

import pytest

from minicloud.base.errors import Invalid
from minicloud.core.compute.special_hardware import demands
from minicloud.core.placement.names import standard_traits
from minicloud.core.scheduler.request import groups_of
from tests.support.scheduling import a_request

TPM_USER = "COMPUTE_SECURITY_TPM_SECRET_SECURITY_USER"


@pytest.mark.parametrize(
    ("specs", "image", "traits"),
    [
        ({}, {}, set()),
        ({"os:secure_boot": "required"}, {}, {"COMPUTE_SECURITY_UEFI_SECURE_BOOT"}),
        ({"os:secure_boot": "disabled"}, {}, set()),
        ({}, {"os_secure_boot": "optional"}, set()),
        ({"hw:tpm_version": "2.0"}, {}, {"COMPUTE_SECURITY_TPM_TIS", "COMPUTE_SECURITY_TPM_2_0", TPM_USER}),
        (
            {"hw:tpm_version": "2.0", "hw:tpm_model": "tpm-crb", "hw:tpm_secret_security": "host"},
            {"hw_tpm_version": "2.0"},
            {"COMPUTE_SECURITY_TPM_CRB", "COMPUTE_SECURITY_TPM_2_0", "COMPUTE_SECURITY_TPM_SECRET_SECURITY_HOST"},
        ),
        ({"hw:maxphysaddr_mode": "emulate"}, {}, {"COMPUTE_ADDRESS_SPACE_EMULATED"}),
        ({}, {"hw_maxphysaddr_mode": "passthrough"}, {"COMPUTE_ADDRESS_SPACE_PASSTHROUGH"}),
        ({}, {"hw_firmware_stateless": "true"}, {"COMPUTE_SECURITY_STATELESS_FIRMWARE"}),
        ({"hw:virtio_packed_ring": "True"}, {}, {"COMPUTE_NET_VIRTIO_PACKED"}),
        ({}, {"hw_sound_model": "virtio"}, {"COMPUTE_SOUND_MODEL_VIRTIO"}),
        ({"hw:pci_numa_affinity_policy": "socket"}, {}, {"COMPUTE_SOCKET_PCI_NUMA_AFFINITY"}),
        ({"accel:device_profile": "fpga"}, {}, {"COMPUTE_ACCELERATORS"}),
        ({"hw:mem_encryption": "true"}, {}, {"HW_CPU_X86_AMD_SEV"}),
        (
            {"hw:ephemeral_encryption": "yes", "hw:ephemeral_encryption_format": "luks"},
            {},
            {"COMPUTE_EPHEMERAL_ENCRYPTION", "COMPUTE_EPHEMERAL_ENCRYPTION_LUKS"},
        ),
    ],
)
def test_what_is_asked_for_is_a_trait(specs: dict[str, str], image: dict[str, str], traits: set[str]) -> None:
    assert demands(specs, image).traits == traits
    assert traits <= standard_traits()


def test_encrypted_and_lasting_memory_are_taken_of_classes() -> None:
    asked = demands({"hw:mem_encryption": "true", "hw:pmem": "4gb, 4gb,ssd"}, {})
    assert asked.resources == {
        "MEM_ENCRYPTION_CONTEXT": 1,
        "CUSTOM_PMEM_NAMESPACE_4GB": 2,
        "CUSTOM_PMEM_NAMESPACE_SSD": 1,
    }


@pytest.mark.parametrize(
    ("specs", "image"),
    [
        ({"hw:tpm_version": "1.2", "hw:tpm_model": "tpm-crb"}, {}),
        ({"hw:tpm_version": "1.2"}, {"hw_tpm_version": "2.0"}),
        ({"os:secure_boot": "required"}, {"os_secure_boot": "disabled"}),
        ({"hw:mem_encryption": "true"}, {"hw_mem_encryption": "false"}),
    ],
)
def test_contradictions_are_refused(specs: dict[str, str], image: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        demands(specs, image)


def test_placement_is_asked_for_them() -> None:
    group = groups_of(a_request(extra_specs={"os:secure_boot": "required", "hw:mem_encryption": "true"}))[""]
    assert group.resources["MEM_ENCRYPTION_CONTEXT"] == 1
    assert frozenset({"COMPUTE_SECURITY_UEFI_SECURE_BOOT"}) in group.required
