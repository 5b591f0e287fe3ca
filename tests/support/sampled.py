"""How each of nova's API samples is asked of a cloud: method, path, body, who asks, what has to be done before.

A line of ``TABLE``: ``name | method path | body``; ``{server}`` and the like are things that the stage has. A body names a function
of ``BODIES``. Samples that no line names stand in ``LEDGER`` with their reason.
"""

from collections.abc import Callable
from typing import Any

TABLE = """
extension-info/extensions-get-resp | GET /extensions/os-hosts
extension-info/extensions-list-resp | GET /extensions
flavor-access/flavor-access-add-tenant-resp | POST /flavors/{private_flavor}/action | add_tenant
flavor-access/flavor-access-list-resp | GET /flavors/{private_flavor}/os-flavor-access
flavor-access/flavor-access-remove-tenant-resp | POST /flavors/{private_flavor}/action | remove_tenant
flavor-extra-specs/flavor-extra-specs-create-resp | POST /flavors/{flavor}/os-extra_specs | extra_specs
flavor-extra-specs/flavor-extra-specs-get-resp | GET /flavors/{flavor}/os-extra_specs/hw:numa_nodes
flavor-extra-specs/flavor-extra-specs-list-resp | GET /flavors/{flavor}/os-extra_specs
flavor-extra-specs/flavor-extra-specs-update-resp | PUT /flavors/{flavor}/os-extra_specs/hw:numa_nodes | extra_spec
flavor-manage/flavor-create-post-resp | POST /flavors | flavor
flavor-manage/flavor-update-resp | PUT /flavors/{flavor} | flavor_update
flavors/flavor-get-resp | GET /flavors/{flavor}
flavors/flavors-detail-resp | GET /flavors/detail
flavors/flavors-list-resp | GET /flavors
images/image-get-resp | GET /images/{image}
images/image-meta-key-get | GET /images/{image}/metadata/rack
images/image-meta-key-put-resp | PUT /images/{image}/metadata/rack | meta
images/image-metadata-get-resp | GET /images/{image}/metadata
images/image-metadata-post-resp | POST /images/{image}/metadata | metadata
images/image-metadata-put-resp | PUT /images/{image}/metadata | metadata
images/images-details-get-resp | GET /images/detail
images/images-list-get-resp | GET /images
limits/limit-get-resp | GET /limits
os-aggregates/aggregate-post-resp | POST /os-aggregates | aggregate
os-aggregates/aggregate-update-post-resp | PUT /os-aggregates/{aggregate} | aggregate_update
os-aggregates/aggregates-add-host-post-resp | POST /os-aggregates/{empty_aggregate}/action | add_host
os-aggregates/aggregates-get-resp | GET /os-aggregates/{aggregate}
os-aggregates/aggregates-list-get-resp | GET /os-aggregates
os-aggregates/aggregates-metadata-post-resp | POST /os-aggregates/{aggregate}/action | aggregate_metadata
os-aggregates/aggregates-remove-host-post-resp | POST /os-aggregates/{empty_aggregate}/action | remove_host
os-attach-interfaces/attach-interfaces-create-resp | POST /servers/{server}/os-interface | interface
os-attach-interfaces/attach-interfaces-list-resp | GET /servers/{server}/os-interface
os-attach-interfaces/attach-interfaces-show-resp | GET /servers/{server}/os-interface/{port}
os-availability-zone/availability-zone-detail-resp | GET /os-availability-zone/detail
os-availability-zone/availability-zone-list-resp | GET /os-availability-zone
os-console-output/console-output-post-resp | POST /servers/{server}/action | console_output
os-create-backup/create-backup-resp | POST /servers/{server}/action | backup
os-evacuate/server-evacuate-find-host-resp | POST /servers/{evacuated_server}/action | evacuate
os-evacuate/server-evacuate-resp | POST /servers/{evacuated_server}/action | evacuate_to
os-floating-ip-pools/floatingippools-list-resp | GET /os-floating-ip-pools
os-floating-ips/floating-ips-create-resp | POST /os-floating-ips | pool
os-floating-ips/floating-ips-get-resp | GET /os-floating-ips/{floating}
os-floating-ips/floating-ips-list-empty-resp | GET /os-floating-ips
os-floating-ips/floating-ips-list-resp | GET /os-floating-ips
os-hosts/host-get-resp | GET /os-hosts/{host}
os-hosts/hosts-list-resp | GET /os-hosts
os-hypervisors/hypervisors-detail-resp | GET /os-hypervisors/detail?{limit}
os-hypervisors/hypervisors-detail-with-servers-resp | GET /os-hypervisors/detail?with_servers=1&hypervisor_hostname_pattern={host}
os-hypervisors/hypervisors-list-resp | GET /os-hypervisors?{limit}
os-hypervisors/hypervisors-search-resp | GET {hypervisor_search}
os-hypervisors/hypervisors-show-resp | GET /os-hypervisors/{hypervisor}
os-hypervisors/hypervisors-show-with-servers-resp | GET /os-hypervisors/{hypervisor}?with_servers=1
os-hypervisors/hypervisors-statistics-resp | GET /os-hypervisors/statistics
os-hypervisors/hypervisors-uptime-resp | GET /os-hypervisors/{hypervisor}/uptime
os-hypervisors/hypervisors-with-servers-resp | GET {hypervisor_servers}
os-hypervisors/hypervisors-without-servers-resp | GET {empty_hypervisor_servers}
os-instance-actions/instance-action-get-non-admin-resp | GET /servers/{server}/os-instance-actions/{action}
os-instance-actions/instance-action-get-resp | GET /servers/{server}/os-instance-actions/{action}
os-instance-actions/instance-actions-list-resp | GET /servers/{server}/os-instance-actions
os-instance-actions/instance-actions-list-with-changes-before | GET /servers/{server}/os-instance-actions?changes-before=2030-01-01T00:00:00Z
os-instance-actions/instance-actions-list-with-changes-since | GET /servers/{server}/os-instance-actions?changes-since=2020-01-01T00:00:00Z
os-instance-actions/instance-actions-list-with-limit-resp | GET /servers/{server}/os-instance-actions?limit=1
os-instance-actions/instance-actions-list-with-marker-resp | GET /servers/{server}/os-instance-actions?marker={last_action}
os-instance-usage-audit-log/inst-usage-audit-log-index-get-resp | GET /os-instance_usage_audit_log
os-instance-usage-audit-log/inst-usage-audit-log-show-get-resp | GET /os-instance_usage_audit_log/2026-01-05 00:00:00
os-keypairs/keypairs-get-resp | GET /os-keypairs/sampled
os-keypairs/keypairs-import-post-resp | POST /os-keypairs | keypair_import
os-keypairs/keypairs-list-resp | GET /os-keypairs?{limit}
os-keypairs/keypairs-list-user1-resp | GET /os-keypairs?user_id={user}&{limit}
os-keypairs/keypairs-list-user2-resp | GET /os-keypairs?user_id={user}&{limit}
os-keypairs/keypairs-post-resp | POST /os-keypairs | keypair
os-migrations/migrations-get | GET /os-migrations
os-migrations/migrations-get-with-changes-before | GET /os-migrations?changes-before=2030-01-01T00:00:00Z
os-migrations/migrations-get-with-changes-since | GET /os-migrations?changes-since=2020-01-01T00:00:00Z
os-migrations/migrations-get-with-limit | GET /os-migrations?limit=1
os-migrations/migrations-get-with-marker | GET /os-migrations?marker={migration}
os-migrations/migrations-get-with-user-or-project-id | GET /os-migrations?user_id={user}&project_id={project}
os-multiple-create/multiple-create-no-resv-post-resp | POST /servers | server_create
os-multiple-create/multiple-create-post-resp | POST /servers | two_servers
os-networks/network-show-resp | GET /os-networks/{network}
os-networks/networks-list-resp | GET /os-networks
os-preserve-ephemeral-rebuild/server-action-rebuild-preserve-ephemeral-resp | POST /servers/{rebuilt_server}/action | rebuild_keeping
os-quota-class-sets/quota-classes-show-get-resp | GET /os-quota-class-sets/default
os-quota-class-sets/quota-classes-update-post-resp | PUT /os-quota-class-sets/default | quota_class
os-quota-sets/quotas-show-defaults-get-resp | GET /os-quota-sets/{project}/defaults
os-quota-sets/quotas-show-detail-get-resp | GET /os-quota-sets/{project}/detail
os-quota-sets/quotas-show-get-resp | GET /os-quota-sets/{project}
os-quota-sets/quotas-update-force-post-resp | PUT /os-quota-sets/{project} | quota_force
os-quota-sets/quotas-update-post-resp | PUT /os-quota-sets/{project} | quota
os-quota-sets/user-quotas-show-get-resp | GET /os-quota-sets/{project}?user_id={user}
os-quota-sets/user-quotas-update-post-resp | PUT /os-quota-sets/{project}?user_id={user} | quota_force
os-rescue/server-get-resp-rescue | GET /servers/{rescued_server}
os-rescue/server-get-resp-unrescue | GET /servers/{server}
os-security-groups/security-group-rules-post-resp | POST /os-security-group-rules | rule
os-security-groups/security-groups-create-resp | POST /os-security-groups | group
os-security-groups/security-groups-get-resp | GET /os-security-groups/{group}
os-security-groups/security-groups-list-get-resp | GET /os-security-groups
os-security-groups/server-security-groups-list-resp | GET /servers/{server}/os-security-groups
os-server-diagnostics/server-diagnostics-get-resp | GET /servers/{server}/diagnostics
os-server-external-events/event-create-resp | POST /os-server-external-events | events
os-server-groups/server-groups-get-resp | GET /os-server-groups/{server_group}
os-server-groups/server-groups-list-resp | GET /os-server-groups
os-server-groups/server-groups-post-resp | POST /os-server-groups | server_group
os-server-password/get-password-resp | GET /servers/{server}/os-server-password
os-server-tags/server-tags-index-resp | GET /servers/{server}/tags
os-server-tags/server-tags-put-all-resp | PUT /servers/{server}/tags | tags
os-server-tags/server-tags-show-details-resp | GET /servers/{server}
os-server-tags/servers-tags-details-resp | GET /servers/detail
os-server-topology/servers-topology-resp | GET /servers/{pinned_server}/topology
os-server-topology/servers-topology-resp-user | GET /servers/{pinned_server}/topology
os-services/service-disable-log-put-resp | PUT {service_log} | service_log
os-services/service-disable-put-resp | PUT {service_disable} | service_disable
os-services/service-enable-put-resp | PUT {service_enable} | service_enable
os-services/service-force-down-put-resp | PUT {service_force} | service_force
os-services/services-list-get-resp | GET /os-services
os-simple-tenant-usage/simple-tenant-usage-get | GET /os-simple-tenant-usage?start=2020-01-01T00:00:00&{limit}
os-simple-tenant-usage/simple-tenant-usage-get-all | GET /os-simple-tenant-usage?start=2020-01-01T00:00:00&detailed=1
os-simple-tenant-usage/simple-tenant-usage-get-detail | GET /os-simple-tenant-usage?start=2020-01-01T00:00:00&detailed=1&{limit}
os-simple-tenant-usage/simple-tenant-usage-get-specific | GET /os-simple-tenant-usage/{project}?start=2020-01-01T00:00:00&{limit}
os-snapshots/snapshot-create-resp | POST /os-snapshots | snapshot
os-snapshots/snapshots-detail-resp | GET /os-snapshots/detail
os-snapshots/snapshots-list-resp | GET /os-snapshots
os-snapshots/snapshots-show-resp | GET /os-snapshots/{snapshot}
os-tenant-networks/networks-list-res | GET /os-tenant-networks
os-volume_attachments/attach-volume-to-server-resp | POST /servers/{server}/os-volume_attachments | attach_volume
os-volume_attachments/list-volume-attachments-resp | GET /servers/{server}/os-volume_attachments
os-volume_attachments/volume-attachment-detail-resp | GET /servers/{server}/os-volume_attachments/{attached_volume}
os-volumes/os-volumes-detail-resp | GET /os-volumes/detail
os-volumes/os-volumes-get-resp | GET /os-volumes/{attached_volume}
os-volumes/os-volumes-index-resp | GET /os-volumes
os-volumes/os-volumes-post-resp | POST /os-volumes | volume
server-ips/server-ips-network-resp | GET /servers/{server}/ips/{network_name}
server-ips/server-ips-resp | GET /servers/{server}/ips
server-metadata/server-metadata-all-resp | GET /servers/{server}/metadata
server-metadata/server-metadata-resp | GET /servers/{server}/metadata/a
server-migrations/migrations-get | GET /servers/{moving_server}/migrations/{move}
server-migrations/migrations-index | GET /servers/{moving_server}/migrations
servers-sort/server-sort-keys-list-resp | GET /servers?sort_key=display_name
servers/server-action-create-image-resp | POST /servers/{server}/action | create_image
servers/server-action-rebuild-resp | POST /servers/{rebuilt_server}/action | rebuild
servers/server-create-resp | POST /servers | server_create
servers/server-get-resp | GET /servers/{server}
servers/server-groups-post-resp | POST /os-server-groups | server_group
servers/server-put-resp | PUT /servers/{server} | server_update
servers/server-update-resp | PUT /servers/{server} | server_update
servers/servers-details-resp | GET /servers/detail?{limit}
servers/servers-details-with-changes-before | GET /servers/detail?changes-before=2030-01-01T00:00:00Z
servers/servers-list-resp | GET /servers?{limit}
servers/servers-list-status-resp | GET /servers?status=error
servers/servers-list-with-changes-before | GET /servers?changes-before=2030-01-01T00:00:00Z
versions/v2-version-get-resp | GET /versions/v2.0
versions/v21-version-get-resp | GET /versions/v2.1
versions/versions-get-resp | GET /compute/
"""

GONE = {
    "consoles", "os-agents", "os-cells", "os-certificates", "os-cloudpipe", "os-fixed-ips", "os-floating-ip-dns",
    "os-floating-ips-bulk", "os-fping", "os-security-group-default-rules", "os-virtual-interfaces",
}  # fmt: skip
"""Folders of samples of what nova 34 answers with 410 (tests/api/compute/test_gone.py)."""

LEDGER = {
    "extension-info/extensions-list-resp-v21-compatible": "only of the v2 root: its one more extension was never a part of 2.1",
    "os-assisted-volume-snapshots/snapshot-create-assisted-resp": "no volume of this cloud needs its hypervisor's help",
    "os-baremetal-nodes/baremetal-node-get-resp": "there is no service of bare metal to ask",
    "os-baremetal-nodes/baremetal-node-list-resp": "there is no service of bare metal to ask",
    "os-console-auth-tokens/get-console-connect-info-get-resp": "no console proxy is on offer yet",
    "os-hosts/host-get-reboot": "no hypervisor that nova has left can do it: 501",
    "os-hosts/host-get-shutdown": "no hypervisor that nova has left can do it: 501",
    "os-hosts/host-get-startup": "no hypervisor that nova has left can do it: 501",
    "os-hosts/host-put-maintenance-resp": "no hypervisor that nova has left can do it: 501",
    "os-networks/network-create-resp": "gone from nova 34: 410",
    "os-tenant-networks/networks-post-res": "gone from nova 34: 410",
    "os-remote-consoles/create-mks-console-resp": "no console proxy is on offer yet",
    "os-remote-consoles/create-spice-direct-console-resp": "no console proxy is on offer yet",
    "os-remote-consoles/create-vnc-console-resp": "no console proxy is on offer yet",
    "os-remote-consoles/get-rdp-console-post-resp": "gone from nova 34: 400",
    "os-remote-consoles/get-serial-console-post-resp": "no console proxy is on offer yet",
    "os-remote-consoles/get-spice-console-post-resp": "no console proxy is on offer yet",
    "os-remote-consoles/get-vnc-console-post-resp": "no console proxy is on offer yet",
    "servers/server-get-down-cell-resp": "this cloud has one cell, which cannot be down while it answers",
}  # fmt: skip
"""Samples that are not asked, each with its reason."""
LEDGER |= {
    f"os-quota-sets-noop/{name}": "of a quota driver that counts nothing, which nobody can choose here"
    for name in (
        "quotas-show-defaults-get-resp", "quotas-show-detail-get-resp", "quotas-show-get-resp",
        "quotas-update-force-post-resp", "quotas-update-post-resp", "user-quotas-show-get-resp",
        "user-quotas-update-post-resp",
    )
}  # fmt: skip
LEDGER |= {
    f"os-server-shares/server-shares-{name}-resp": "there is no service of shared file systems"
    for name in ("admin-create", "admin-show", "create", "list", "show")
}

AT_VERSIONS = {
    "os-server-diagnostics/server-diagnostics-get-resp 2.1": "its keys are names of devices of whoever made the sample",
    **dict.fromkeys(
        (
            "os-services/services-list-get-resp 2.69", "servers/server-get-resp 2.69", "servers/servers-details-resp 2.69",
            "servers/servers-list-resp 2.69",
        ),
        "shows a cell that is down: this cloud has one, which cannot be while it answers",
    ),
}  # fmt: skip
"""Samples that are not asked at one version, each with its reason."""

SOMETIMES = {
    "os-migrations/": {"links"},
    "servers/server-groups-post-resp": {"max_server_per_host"},
    "os-volumes/os-volumes-detail-resp": {"device", "id", "serverId", "volumeId"},
    "os-volumes/os-volumes-index-resp": {"device", "id", "serverId", "volumeId"},
    "os-volumes/os-volumes-post-resp": {"device", "id", "serverId", "volumeId"},
}
"""Keys that depend on the state of the very thing that was sampled: a live migration that goes on, an attached volume."""

Things = dict[str, str]
Body = Callable[[Things, int], Any]


def _server_create(things: Things, minor: int) -> Any:
    server: dict[str, Any] = {
        "name": "new-server-test",
        "imageRef": things["image"],
        "flavorRef": "1",
        "accessIPv4": "1.2.3.4",
        "accessIPv6": "80fe::",
        "availability_zone": "nova",
        "OS-DCF:diskConfig": "AUTO",
        "metadata": {"MyServerName": "Apache1"},
        "security_groups": [{"name": "default"}],
        "user_data": "aGVsbG8=",
    }
    server["networks"] = [{"uuid": things["network"]}] if minor < 37 else "auto"
    if minor < 57:
        server["personality"] = [{"path": "/etc/banner.txt", "contents": "aGVsbG8="}]
    for since, field, value in (
        (19, "description", "new"),
        (52, "tags", ["one", "two"]),
        (90, "hostname", "custom-hostname"),
    ):
        if minor >= since:
            server[field] = value
    return {"server": server}


def _two_servers(things: Things, minor: int) -> Any:
    body = _server_create(things, minor)
    body["server"] |= {"return_reservation_id": "True", "min_count": "2", "max_count": "3"}
    return body


def _rebuild(things: Things, minor: int) -> Any:
    body: dict[str, Any] = {
        "imageRef": things["image"],
        "name": "foobar",
        "accessIPv4": "1.2.3.4",
        "accessIPv6": "80fe::",
        "OS-DCF:diskConfig": "AUTO",
        "adminPass": "seekr3t",
        "metadata": {"meta_var": "meta_val"},
    }
    for since, field, value in (
        (19, "description", "new"),
        (54, "key_name", "sampled"),
        (57, "user_data", "aGVsbG8="),
        (90, "hostname", "custom-hostname"),
    ):
        if minor >= since:
            body[field] = value
    return {"rebuild": body}


def _server_update(things: Things, minor: int) -> Any:
    body: dict[str, Any] = {"accessIPv4": "4.3.2.1", "accessIPv6": "80fe::", "OS-DCF:diskConfig": "AUTO"}
    if minor >= 19:
        body["description"] = "other"
    return {"server": body}


def _server_group(things: Things, minor: int) -> Any:
    policies = (
        {"policy": "anti-affinity", "rules": {"max_server_per_host": 3}} if minor >= 64 else {"policies": ["affinity"]}
    )
    return {"server_group": {"name": "test", **policies}}


def _flavor(things: Things, minor: int) -> Any:
    body: dict[str, Any] = {"name": f"flavor-{minor}", "ram": 1024, "vcpus": 2, "disk": 10}
    if minor < 102:
        body["rxtx_factor"] = 2.0
    return {"flavor": body | ({"description": "new"} if minor >= 55 else {})}


def _quota_class(things: Things, minor: int) -> Any:
    return {"quota_class_set": {"instances": 50, "cores": 50, "ram": 51200, "metadata_items": 128, "key_pairs": 100}}


def _service(status: str, **more: Any) -> Body:
    def body(things: Things, minor: int) -> Any:
        return {"status": status, **more} if minor >= 53 else {"host": things["host"], "binary": "nova-compute", **more}

    return body


def _service_force(things: Things, minor: int) -> Any:
    old = {} if minor >= 53 else {"host": things["host"], "binary": "nova-compute"}
    return {**old, "forced_down": False}


def _attach_volume(things: Things, minor: int) -> Any:
    body: dict[str, Any] = {"volumeId": things["volume"]}
    if minor >= 49:
        body["tag"] = "foo"
    if minor >= 79:
        body["delete_on_termination"] = True
    return {"volumeAttachment": body}


def always(document: Any) -> Body:
    """The same body at every version."""
    return lambda things, minor: document


BODIES: dict[str, Body] = {
    "add_tenant": lambda things, _: {"addTenantAccess": {"tenant": things["other_project"]}},
    "remove_tenant": lambda things, _: {"removeTenantAccess": {"tenant": things["other_project"]}},
    "extra_specs": always({"extra_specs": {"hw:cpu_policy": "shared", "hw:numa_nodes": "1"}}),
    "extra_spec": always({"hw:numa_nodes": "1"}),
    "flavor": _flavor,
    "flavor_update": always({"flavor": {"description": "other"}}),
    "meta": always({"meta": {"rack": "b"}}),
    "metadata": always({"metadata": {"rack": "b"}}),
    "aggregate": lambda _, minor: {"aggregate": {"name": f"aggregate-{minor}", "availability_zone": "london"}},
    "aggregate_update": lambda _, minor: {"aggregate": {"name": f"other-{minor}"}},
    "add_host": lambda things, _: {"add_host": {"host": things["empty_host"]}},
    "remove_host": lambda things, _: {"remove_host": {"host": things["empty_host"]}},
    "aggregate_metadata": always({"set_metadata": {"metadata": {"key": "value"}}}),
    "interface": lambda things, _: {"interfaceAttachment": {"net_id": things["network"]}},
    "console_output": always({"os-getConsoleOutput": {"length": 50}}),
    "create_image": always({"createImage": {"name": "image", "metadata": {"meta_var": "meta_val"}}}),
    "evacuate": always({"evacuate": {"adminPass": "MySecretPass", "onSharedStorage": "False"}}),
    "evacuate_to": lambda things, _: {"evacuate": {"adminPass": "MySecretPass", "onSharedStorage": "False", "host": things["refuge"]}},
    "backup": always({"createBackup": {"name": "backup", "backup_type": "daily", "rotation": 1}}),
    "pool": lambda things, _: {"pool": things["pool"]},
    "keypair_import": lambda things, minor: {
        "keypair": {"name": f"import-{minor}", "public_key": things["public_key"]} | ({"user_id": things["user"]} if minor >= 10 else {})
    },
    "keypair": lambda _, minor: {"keypair": {"name": f"key-{minor}"}},
    "server_create": _server_create,
    "two_servers": _two_servers,
    "quota_class": _quota_class,
    "quota_force": always({"quota_set": {"force": "True", "instances": 45}}),
    "quota": always({"quota_set": {"cores": 99}}),
    "rule": lambda things, minor: {
        "security_group_rule": {
            "parent_group_id": things["group"], "ip_protocol": "TCP", "from_port": 22, "to_port": 22 + minor, "cidr": "10.0.0.0/24",
        }
    },
    "group": always({"security_group": {"name": "test", "description": "description"}}),
    "events": lambda things, _: {"events": [{"name": "network-changed", "tag": "foo", "server_uuid": things["server"], "status": "completed"}]},
    "server_group": _server_group,
    "tags": always({"tags": ["tag1", "tag2"]}),
    "service_log": _service("disabled", disabled_reason="maintenance"),
    "service_disable": _service("disabled"),
    "service_enable": _service("enabled"),
    "service_force": _service_force,
    "snapshot": lambda things, _: {"snapshot": {"volume_id": things["attached_volume"], "display_name": "snap", "force": True}},
    "attach_volume": _attach_volume,
    "volume": always({"volume": {"size": 1, "display_name": "vol", "display_description": "for show"}}),
    "rebuild": _rebuild,
    "rebuild_keeping": lambda things, minor: {"rebuild": _rebuild(things, minor)["rebuild"] | {"preserve_ephemeral": True}},
    "server_update": _server_update,
}  # fmt: skip


def _at(minor: int, things: Things, linked: bool) -> Things:
    """Things whose name depends on the version, or on whether the sample links to a next page."""
    number, uuid = things["hypervisor_number"], things["hypervisor_uuid"]
    service = things["service_uuid"]
    new = minor >= 53
    return {
        **things,
        "hypervisor": uuid if new else number,
        "limit": "limit=1" if linked else "",
        "hypervisor_search": "/os-hypervisors?hypervisor_hostname_pattern=host" if new else "/os-hypervisors/host/search",
        "hypervisor_servers": f"/os-hypervisors?hypervisor_hostname_pattern={things['host']}&with_servers=1"
        if new
        else f"/os-hypervisors/{things['host']}/servers",
        "empty_hypervisor_servers": f"/os-hypervisors?hypervisor_hostname_pattern={things['empty_host']}&with_servers=1"
        if new
        else f"/os-hypervisors/{things['empty_host']}/servers",
        **{
            f"service_{verb}": f"/os-services/{service if new else old}"
            for verb, old in (
                ("log", "disable-log-reason"), ("disable", "disable"), ("enable", "enable"), ("force", "force-down"),
            )
        },
    }  # fmt: skip


def asked(name: str, minor: int, things: Things, *, linked: bool) -> tuple[str, str, Any]:
    """Method, path and body for a sample; ``linked``: it shows a page with one thing, which links on."""
    method, path, body = LINES[name]
    document = None if body is None else BODIES[body](things, minor)
    return method, path.format(**_at(minor, things, linked)).rstrip("?&"), document


def _lines() -> dict[str, tuple[str, str, str | None]]:
    found: dict[str, tuple[str, str, str | None]] = {}
    for line in TABLE.strip().splitlines():
        name, ask, *body = line.split(" | ")
        method, path = ask.split(" ", 1)
        found[name] = method, path, body[0] if body else None
    return found


LINES = _lines()
