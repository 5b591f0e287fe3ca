"""Special hardware: what flavors and images ask for beside amounts, and the traits and classes that Placement is asked for then.

Nova's names and rules. A host that lacks the trait is never looked at, so that nobody gets a server without the TPM, the
secure boot or the encrypted memory that was asked for.
"""

from collections.abc import Iterable, Mapping

import msgspec

from minicloud.base.errors import Invalid

Texts = Mapping[str, str]

_TRUE = {"1", "t", "true", "on", "y", "yes"}
_MEMORY_TRAITS = {
    "amd-sev": "HW_CPU_X86_AMD_SEV",
    "amd-sev-es": "HW_CPU_X86_AMD_SEV_ES",
    "amd-sev-snp": "HW_CPU_X86_AMD_SEV_SNP",
    "intel-tdx": "HW_CPU_X86_INTEL_TDX",
}


class Demands(msgspec.Struct, frozen=True):
    """Traits that the host must have, and amounts of classes that it must give."""

    traits: frozenset[str] = frozenset()
    resources: Mapping[str, int] = {}


def demands(specs: Texts, image: Texts) -> Demands:
    """What the extra specs of a flavor and the properties of an image ask for. Raises Invalid where they contradict each other."""
    traits = {
        *_secure_boot(specs, image),
        *_tpm(specs, image),
        *_address_space(specs, image),
        *_encrypted_disks(specs, image),
    }
    if _is_true(image.get("hw_firmware_stateless")):
        traits.add("COMPUTE_SECURITY_STATELESS_FIRMWARE")
    if _either(specs, "hw:virtio_packed_ring", image, "hw_virtio_packed_ring"):
        traits.add("COMPUTE_NET_VIRTIO_PACKED")
    if "virtio" in (specs.get("hw:sound_model"), image.get("hw_sound_model")):
        traits.add("COMPUTE_SOUND_MODEL_VIRTIO")
    if "socket" in (specs.get("hw:pci_numa_affinity_policy"), image.get("hw_pci_numa_affinity_policy")):
        traits.add("COMPUTE_SOCKET_PCI_NUMA_AFFINITY")
    if specs.get("accel:device_profile"):
        traits.add("COMPUTE_ACCELERATORS")
    resources: dict[str, int] = {}
    if _either(specs, "hw:mem_encryption", image, "hw_mem_encryption"):
        resources["MEM_ENCRYPTION_CONTEXT"] = 1
        traits.add(_memory_trait(specs, image))
    for label in _words(specs.get("hw:pmem")):
        name = f"CUSTOM_PMEM_NAMESPACE_{label.upper()}"
        resources[name] = resources.get(name, 0) + 1
    return Demands(frozenset(traits), resources)


def _secure_boot(specs: Texts, image: Texts) -> Iterable[str]:
    wanted = _agreed("os:secure_boot", specs.get("os:secure_boot"), "os_secure_boot", image.get("os_secure_boot"))
    return ["COMPUTE_SECURITY_UEFI_SECURE_BOOT"] if wanted == "required" else []


def _tpm(specs: Texts, image: Texts) -> Iterable[str]:
    version = _agreed("hw:tpm_version", specs.get("hw:tpm_version"), "hw_tpm_version", image.get("hw_tpm_version"))
    model = _agreed("hw:tpm_model", specs.get("hw:tpm_model"), "hw_tpm_model", image.get("hw_tpm_model"))
    if version is None:
        return
    if model == "tpm-crb" and version != "2.0":
        raise Invalid("Invalid TPM configuration: TPM model 'tpm-crb' is only compatible with TPM version '2.0'.")
    yield "COMPUTE_SECURITY_TPM_CRB" if model == "tpm-crb" else "COMPUTE_SECURITY_TPM_TIS"
    yield "COMPUTE_SECURITY_TPM_2_0" if version == "2.0" else "COMPUTE_SECURITY_TPM_1_2"
    yield f"COMPUTE_SECURITY_TPM_SECRET_SECURITY_{specs.get('hw:tpm_secret_security', 'user').upper()}"


def _address_space(specs: Texts, image: Texts) -> Iterable[str]:
    mode = _agreed(
        "hw:maxphysaddr_mode", specs.get("hw:maxphysaddr_mode"), "hw_maxphysaddr_mode", image.get("hw_maxphysaddr_mode")
    )
    kinds = {"passthrough": "COMPUTE_ADDRESS_SPACE_PASSTHROUGH", "emulate": "COMPUTE_ADDRESS_SPACE_EMULATED"}
    return [kinds[mode]] if mode in kinds else []


def _encrypted_disks(specs: Texts, image: Texts) -> Iterable[str]:
    if not _either(specs, "hw:ephemeral_encryption", image, "hw_ephemeral_encryption"):
        return
    yield "COMPUTE_EPHEMERAL_ENCRYPTION"
    form = specs.get("hw:ephemeral_encryption_format") or image.get("hw_ephemeral_encryption_format")
    if form:
        yield f"COMPUTE_EPHEMERAL_ENCRYPTION_{form.upper()}"


def _memory_trait(specs: Texts, image: Texts) -> str:
    model = _agreed(
        "hw:mem_encryption_model",
        specs.get("hw:mem_encryption_model"),
        "hw_mem_encryption_model",
        image.get("hw_mem_encryption_model"),
    )
    return _MEMORY_TRAITS.get(model or "amd-sev", _MEMORY_TRAITS["amd-sev"])


def _agreed(spec: str, flavors: str | None, prop: str, images: str | None) -> str | None:
    """What flavor and image say of the same thing. Raises Invalid when they do not say the same."""
    if flavors is not None and images is not None and flavors.lower() != images.lower():
        raise Invalid(
            f"Flavor extra spec {spec} = {flavors} and image property {prop} = {images} contradict each other."
        )
    said = flavors if flavors is not None else images
    return None if said is None else said.lower()


def _either(specs: Texts, spec: str, image: Texts, prop: str) -> bool:
    """Whether flavor or image asks for something that is there or not. Raises Invalid when one forbids what the other asks for."""
    said = {_is_true(text) for text in (specs.get(spec), image.get(prop)) if text is not None}
    if len(said) > 1:
        raise Invalid(
            f"Flavor extra spec {spec} = {specs.get(spec)} and image property {prop} = {image.get(prop)} contradict each other."
        )
    return True in said


def _is_true(text: str | None) -> bool:
    return text is not None and text.strip().lower() in _TRUE


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]
