"""Extra specs that upstream knows: their names and values, as checked since 2.86. Names of unknown namespaces are anybody's own."""

import re

from minicloud.base.errors import Invalid
from minicloud.core.placement.names import standard_resource_classes, standard_traits

_CPUS = r"\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*"
_GROUP = r"([a-zA-Z0-9_-]{1,64})?"
_NAMESPACES = re.compile(
    rf"accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough|quota|vmware"
    rf"|resources{_GROUP}|trait{_GROUP}"
)

# A line each: name, then ``int [least [most]]``, ``bool``, ``text``, ``like`` a pattern, or the words that it may be.
_KNOWN = rf"""
accel:device_profile                text
hide_hypervisor_id                  bool
group_policy                        isolate none
hw:boot_menu                        bool
hw:cpu_cores                        int 1
hw:cpu_dedicated_mask               like {_CPUS}
hw:cpu_max_cores                    int 1
hw:cpu_max_sockets                  int 1
hw:cpu_max_threads                  int 1
hw:cpu_policy                       dedicated shared mixed
hw:cpu_realtime                     bool
hw:cpu_realtime_mask                like (\^)?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*
hw:cpu_sockets                      int 1
hw:cpu_thread_policy                prefer isolate require
hw:cpu_threads                      int 1
hw:emulator_threads_policy          isolate share
hw:ephemeral_encryption             bool
hw:ephemeral_encryption_format      plain luks luksv2
hw:hide_hypervisor_id               bool
hw:locked_memory                    bool
hw:mem_encryption                   bool
hw:mem_encryption_model             amd-sev amd-sev-es amd-sev-snp intel-tdx
hw:mem_page_size                    like (large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)
hw:numa_nodes                       int 1
hw:pci_numa_affinity_policy         required preferred legacy socket
hw:pmem                             like ([a-zA-Z0-9_]+(,)?)+
hw:pmu                              bool
hw:redirected_usb_ports             int 0 15
hw:serial_port_count                int 0
hw:sound_model                      sb16 es1370 pcspk ac97 ich6 ich9 usb virtio
hw:tpm_model                        tpm-tis tpm-crb
hw:tpm_secret_security              user host deployment
hw:tpm_version                      1.2 2.0
hw:usb_model                        none nec-xhci qemu-xhci
hw:vif_multiqueue_enabled           bool
hw:viommu_model                     intel smmuv3 virtio auto
hw:virtio_packed_ring               bool
hw:watchdog_action                  none pause poweroff reset disabled
hw_rng:allowed                      bool
hw_rng:rate_bytes                   int 0
hw_rng:rate_period                  int 0
hw_video:ram_max_mb                 int 0
os:secure_boot                      disabled required
pci_passthrough:alias               like [^:]+:\d+(?:\s*,\s*[^:]+:\d+)*
quota:cpu_period                    int 0
quota:cpu_quota                     int
quota:cpu_shares                    int 0
vmware:hw_version                   text
vmware:storage_policy               text
"""

_PATTERNS = [
    (r"aggregate_instance_extra_specs:.+", "text"),
    (r"hw:numa_cpus\.\d+", f"like {_CPUS}"),
    (r"hw:numa_mem\.\d+", "int 1"),
    (r"quota:(cpu|memory|disk_io|vif)_(limit|shares_share)", "int 0"),
    (r"quota:(cpu|memory|disk_io|vif)_reservation", "int"),
    (r"quota:(cpu|memory|disk_io|vif)_shares_level", "custom high normal low"),
    (r"quota:disk_(read|write|total)_(bytes|iops)_sec", "int 0"),
    (r"quota:vif_(inbound|outbound)_(average|peak|burst)", "int 0"),
    (
        r"capabilities:(id|uuid|service_id|host|vcpus|memory_mb|local_gb|vcpus_used|memory_mb_used|local_gb_used|"
        r"hypervisor_type|hypervisor_version|hypervisor_hostname|free_ram_mb|free_disk_gb|current_workload|running_vms|"
        r"disk_available_least|host_ip|mapped|cpu_allocation_ratio|ram_allocation_ratio|disk_allocation_ratio|"
        r"total_usable_ram_mb|total_usable_disk_gb|disk_mb_used|free_disk_mb|vcpus_total|num_instances|num_io_ops|"
        r"failed_builds|aggregates|cell_uuid|updated)",
        "text",
    ),
    (
        r"capabilities:(cpu_info|metrics|stats|numa_topology|supported_hv_specs|pci_device_pools|nodename|pci_stats|"
        r"supported_instances|limits|instances)(:\w+)*",
        "text",
    ),
]
_VALUES = dict(line.split(None, 1) for line in _KNOWN.strip().splitlines())


def check(name: str, value: str) -> None:
    """Raises Invalid for a name that upstream would not know in a namespace of its own, or a value that it would not take."""
    form = _form(name)
    if form is not None:
        _check_value(form, value)
    elif ":" in name and _NAMESPACES.fullmatch(name.split(":", 1)[0]):
        raise Invalid(f"Validation failed; extra spec '{name}' does not appear to be a valid extra spec.", field=name)


def _form(name: str) -> str | None:
    if name in _VALUES:
        return _VALUES[name]
    for pattern, form in _PATTERNS:
        if re.fullmatch(pattern, name):
            return form
    asked = re.fullmatch(rf"(resources|trait){_GROUP}:(CUSTOM_[A-Z0-9_]+|[A-Z0-9_]+)", name)
    if asked is None:
        return None
    if asked[1] == "resources":
        return "int" if asked[3].startswith("CUSTOM_") or asked[3] in standard_resource_classes() else None
    return "required forbidden" if asked[3].startswith("CUSTOM_") or asked[3] in standard_traits() else None


def _check_value(form: str, value: str) -> None:
    kind, _, rest = form.partition(" ")
    if kind == "text":
        return
    if kind == "bool":
        if value.strip().lower() not in ("1", "t", "true", "on", "y", "yes", "0", "f", "false", "off", "n", "no"):
            raise Invalid(f"Validation failed; '{value}' is not a valid boolean-like value.")
    elif kind == "like":
        if not re.fullmatch(rest, value):
            raise Invalid(f"Validation failed; '{value}' is not of the format '{rest}'.")
    elif kind == "int":
        if not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", value):
            raise Invalid(f"Validation failed; '{value}' is not a valid integer value.")
        least, most = [*(int(word) for word in rest.split()), None, None][:2]
        if most is not None and int(value) > most:
            raise Invalid(f"Validation failed; '{value}' is greater than the max value of '{most}'.")
        if least is not None and int(value) < least:
            raise Invalid(f"Validation failed; '{value}' is less than the min value of '{least}'.")
    elif value not in form.split():
        raise Invalid(f"Validation failed; '{value}' is not one of: {', '.join(form.split())}.")
