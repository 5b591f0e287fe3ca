"""The settings: one struct. Every field is documented below it, and a law holds docs/settings.md to this list."""

from typing import Literal

import msgspec


class Settings(msgspec.Struct, kw_only=True, frozen=True):
    """How one cloud is run. Times in seconds, memory in MiB, disks in GiB."""

    data: str = ""
    """Folder that holds everything of this cloud. Default: minicloud in XDG_DATA_HOME."""

    driver: Literal["auto", "qemu", "fake"] = "auto"
    """What runs servers: real QEMU guests, or simulated ones. ``auto`` takes QEMU where it is installed."""

    hosts: int = 1
    """Number of compute hosts in the process."""

    hosts_file: str = ""
    """YAML file that describes simulated hosts: sizes, zones, aggregates, traits, NUMA cells, PCI devices. It sets their number."""

    config_drive_format: Literal["iso9660", "vfat"] = "iso9660"
    """File system of the disk that tells a guest of itself where it was asked for (``--config-drive``)."""

    listen: str = "127.0.0.1"
    """Address on which the APIs are served."""

    port: int = 5000
    """TCP port on which the APIs are served; 0 takes a free one."""

    public_url: str = ""
    """Address that the catalog and links carry. Default: the one each request was sent to."""

    cors_allowed_origins: str = ""
    """Sites whose scripts browsers may let use the APIs (https://skyline.example), separated by commas; * for all. Default: none."""

    durability: Literal["normal", "full"] = "normal"
    """``normal`` survives a killed process, ``full`` also a power cut."""

    memory: bool = False
    """Keep the database and blobs in memory: the cloud vanishes when it stops."""

    admin_password: str = ""
    """Password of the user admin. Default: generated at the first start into the data folder."""

    password_cost: Literal["normal", "cheap"] = "normal"
    """Work that a password hash takes; ``cheap`` suits a throw-away cloud of a test run."""

    token_hours: float = 24.0
    """Hours for which a token is valid."""

    lockout_failure_attempts: int = 0
    """Wrong passwords after which a user is locked out; 0: never."""

    lockout_duration: float = 1800.0
    """Seconds for which a user is locked out."""

    password_expires_days: int = 0
    """Days after which a password has to be changed; 0: never."""

    unique_last_password_count: int = 0
    """How many of a user's last passwords may not be chosen again."""

    minimum_password_age: int = 0
    """Days for which a password has to be used before its owner may change it."""

    password_regex: str = ""
    """Regular expression that passwords have to match."""

    password_regex_description: str = ""
    """What people are told when a password does not match."""

    change_password_upon_first_use: bool = False
    """Whether a password that an administrator chose has to be changed before it opens anything."""

    disable_user_account_days_inactive: int = 0
    """Days without signing in after which a user is kept out; 0: never."""

    limit_model: Literal["flat", "strict_two_level"] = "flat"
    """How unified limits are kept: each by itself, or none of a project above that of its domain."""

    unified_limits: str = ""
    """Services whose quotas are the limits of identity, separated by commas: compute, image, network, volume. Default: none."""

    region: str = "RegionOne"
    """Name of the cloud's only region."""

    fabric: Literal["auto", "linux", "user", "fake"] = "auto"
    """Network of QEMU servers: ``linux`` namespaces, or QEMU's ``user`` networking. ``auto`` takes what the machine allows."""

    outside: bool = False
    """Lead guests beyond this machine, behind its addresses: root's forwarding does it, else ``pasta`` or ``slirp4netns``."""

    accelerator: Literal["auto", "kvm", "tcg"] = "auto"
    """How QEMU runs guests: ``auto`` takes KVM only after a probe has seen a guest run on it."""

    cpu_dedicated_set: str = ""
    """Processors of this computer, as ``2-5,^3``, that are kept for servers with CPUs of their own (``hw:cpu_policy=dedicated``);
    several hosts of QEMU divide them among themselves. All others are shared. Default: none are kept."""

    fake_vcpus: int = 64
    """vCPUs of a simulated host."""

    fake_memory_mb: int = 262144
    """Memory of a simulated host."""

    fake_disk_gb: int = 4096
    """Disk of a simulated host."""

    fake_move_seconds: float = 0.0
    """Seconds for which a simulated guest's memory is on its way when it is migrated live: time to see, hurry or stop it."""

    cpu_allocation_ratio: float = 16.0
    """Virtual CPUs offered for each real one."""

    ram_allocation_ratio: float = 1.0
    """Memory offered in relation to what is there."""

    disk_allocation_ratio: float = 1.0
    """Disk offered in relation to what is there; on QEMU hosts root disks are thin, and it is multiplied by 10."""

    reserved_host_memory_mb: int = 512
    """Memory of a host that is never offered to servers."""

    enabled_filters: str = ""
    """Filters of the scheduler by Nova's names, separated by commas. Default: those of upstream, and what servers cannot do without."""

    max_placement_results: int = 1000
    """Candidates that the scheduler looks at for one server."""

    randomize_allocation_candidates: bool = False
    """Whether Placement answers with candidates by chance, not the first ones, where there are more than it was asked for."""

    max_attempts: int = 3
    """Hosts on which a server is tried in all, when it is built or moves and one fails; 1: the first failure is the last."""

    host_subset_size: int = 1
    """Among so many of the best hosts one is taken, another for each server."""

    max_instances_per_host: int = 50
    """Servers that NumInstancesFilter allows on a host."""

    max_io_ops_per_host: int = 8
    """Servers that IoOpsFilter allows to be built or moved on a host at once."""

    isolated_hosts: str = ""
    """Hosts that IsolatedHostsFilter keeps for isolated images, separated by commas."""

    isolated_images: str = ""
    """Ids of images that IsolatedHostsFilter puts on isolated hosts only, separated by commas."""

    restrict_isolated_hosts_to_isolated_images: bool = True
    """Whether isolated hosts take isolated images only."""

    aggregate_image_properties_isolation_namespace: str = ""
    """Only keys of aggregates with this beginning count for AggregateImagePropertiesIsolation."""

    aggregate_image_properties_isolation_separator: str = "."
    """What stands between that beginning and the name of the image's property."""

    image_properties_default_architecture: str = ""
    """Architecture that ImagePropertiesFilter takes for images that name none."""

    ram_weight_multiplier: float = 1.0
    """Weight of free memory when a host is chosen; negative: servers are stacked."""

    cpu_weight_multiplier: float = 1.0
    """Weight of free vCPUs when a host is chosen; negative: servers are stacked."""

    disk_weight_multiplier: float = 1.0
    """Weight of free disk when a host is chosen; negative: servers are stacked."""

    io_ops_weight_multiplier: float = -1.0
    """Weight of servers that are built or moved on a host."""

    pci_weight_multiplier: float = 1.0
    """Weight with which hosts are preferred that have few free PCI devices."""

    soft_affinity_weight_multiplier: float = 1.0
    """Weight of the policy soft-affinity of server groups."""

    soft_anti_affinity_weight_multiplier: float = 1.0
    """Weight of the policy soft-anti-affinity of server groups."""

    build_failure_weight_multiplier: float = 1_000_000.0
    """Weight against hosts on which builds failed since the last that worked."""

    hypervisor_version_weight_multiplier: float = 1.0
    """Weight of newer hypervisors."""

    num_instances_weight_multiplier: float = 0.0
    """Weight of hosts that have many servers; negative: those with few."""

    image_props_weight_multiplier: float = 0.0
    """Weight of hosts whose servers come from images with the same properties."""

    image_props_weight_setting: str = ""
    """Which properties count, as name=ratio, separated by commas. Default: all alike."""

    image_locality_weight_multiplier: float = 0.0
    """Weight of hosts that have servers of the same image, and so its bytes."""

    metrics_weight_multiplier: float = 1.0
    """Weight of the metrics that hosts tell."""

    metrics_weight_setting: str = ""
    """Which metrics count, as name=ratio, separated by commas. Default: none."""

    metrics_required: bool = True
    """Whether no server is placed while a host does not tell a metric that counts."""

    metrics_weight_of_unavailable: float = -10000.0
    """Score of a host that does not tell a metric that counts."""

    limit_tenants_to_placement_aggregate: bool = False
    """Whether projects that aggregates name (`filter_tenant_id`) are kept to them already by Placement."""

    placement_aggregate_required_for_tenants: bool = False
    """Whether projects that no aggregate names get no host at all."""

    query_placement_for_image_type_support: bool = False
    """Whether hosts must have the trait of the image's disk format."""

    enable_isolated_aggregate_filtering: bool = False
    """Whether aggregates that require traits take only servers that ask for them."""

    image_metadata_prefilter: bool = False
    """Whether hosts must have the traits of the devices that an image asks for."""

    pci_alias: str = ""
    """PCI devices that flavors may ask for: a JSON list of objects with name, vendor_id, product_id, device_type, numa_policy."""

    volume_backends: str = ""
    """Further storage backends, separated by commas: ``fast``, ``slow:100=/mnt/slow`` (a name, its GiB, its folder). Default: the one that every cloud has."""

    report_interval: float = 10.0
    """Seconds between two heartbeats of a host."""

    service_down_time: float = 60.0
    """Seconds of silence after which a host counts as down."""

    patience: float = -1.0
    """Seconds for which an answer may wait for the work that it promises, so that the first look finds it done. Default: 0.01 on simulated hosts, 0 on real ones."""

    shutdown_timeout: float = 60.0
    """Seconds that a guest has to power off before it is forced."""

    allow_resize_to_same_host: bool = True
    """Whether a resize may stay on the host where the server is: a cloud of one host could resize nothing otherwise."""

    resize_confirm_window: float = 0.0
    """Seconds after which a resize is confirmed by itself; 0: never."""

    shelved_offload_time: float = 0.0
    """Seconds after which the host of a shelved server forgets it; 0: at once, negative: never."""

    reclaim_instance_interval: float = 0.0
    """Seconds for which a deleted server can be restored before it is really gone; 0: none."""

    reconcile_interval: float = 60.0
    """Seconds between two rounds of the reconcilers."""

    largest_image_gb: int = 1024
    """Largest image that may be uploaded."""

    max_disk_devices_to_attach: int = -1
    """Disks that a server may have at most; -1: any number."""

    cross_az_attach: bool = True
    """Whether servers may have volumes of another availability zone."""

    import_methods: str = "glance-direct,web-download,copy-image"
    """Ways to import images that are offered, separated by commas."""

    import_allowed_schemes: str = "http,https"
    """Schemes of URLs that images may be imported from, separated by commas."""

    import_disallowed_schemes: str = ""
    """Schemes that images may not be imported from, separated by commas; passed over where there are allowed ones."""

    import_allowed_hosts: str = ""
    """The only hosts that images may be imported from, separated by commas. Default: all, but no address of this machine or its link."""

    import_disallowed_hosts: str = ""
    """Hosts that images may not be imported from, separated by commas; passed over where there are allowed ones."""

    import_allowed_ports: str = "80,443"
    """Ports that a URL to import from may name, separated by commas. Empty: all."""

    import_disallowed_ports: str = ""
    """Ports that a URL to import from may not name, separated by commas; passed over where there are allowed ones."""

    image_check_hours: int = 24
    """Hours after which hosts look through the images in their caches again, for bytes that the disk lost; 0: never."""

    property_protection_file: str = ""
    """File that says who may create, read, update and delete which properties of images, in Glance's format."""

    property_protection_rule_format: Literal["roles", "policies"] = "roles"
    """Whether that file names roles or policies."""

    guest_image: str = "auto"
    """The image ``minilinux`` of a new cloud: ``auto`` takes the built one if there is one, ``none`` starts without."""

    seed: str = ""
    """YAML file of domains, projects, users, roles, quotas, networks, flavors and images that the cloud shall have: docs/seeds.md."""

    stop_servers: bool = False
    """Power off all servers when the cloud stops; else guests go on and are found again."""

    trace_notes: int = 1_000_000
    """Notes that the trace keeps."""
