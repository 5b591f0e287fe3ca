"""One of everything in compute, made through the API, and the paths by which each is shown."""

import time
from typing import Any

from tests.conformance.subjects import Subject

NEWEST = {"OpenStack-API-Version": "compute latest"}
PATIENCE_S = 30.0
Paths = dict[str, dict[str, str]]


class Compute:
    """An administrator's client of compute and its neighbours."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        base = subject.endpoint("compute")
        assert base is not None
        self.base = base
        self.project_id: str = subject.token["project"]["id"]

    def ask(
        self, method: str, path: str, document: Any = None, *, version: str = "latest", kind: str = "compute"
    ) -> Any:
        """A request that must succeed; its document."""
        url = f"{self.subject.endpoint(kind)}{path}" if kind != "compute" else f"{self.base}{path}"
        headers = {"OpenStack-API-Version": f"compute {version}"} if kind == "compute" else {}
        answer = self.subject.http.request(method, url, json=document, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def tried(self, method: str, path: str, document: Any = None, *, version: str = "latest") -> bool:
        """Whether a request that this cloud may not offer succeeded."""
        headers = {"OpenStack-API-Version": f"compute {version}"}
        return self.subject.http.request(method, f"{self.base}{path}", json=document, headers=headers).is_success

    def server(self, name: str, **fields: Any) -> str:
        """A server, and wait until it is built or has failed."""
        hints = fields.pop("hints", {})
        body = {"name": name, "networks": "auto", "flavorRef": "1", "imageRef": self.image(), **fields}
        made: str = self.ask("POST", "/servers", {"server": body, "os:scheduler_hints": hints})["server"]["id"]
        self.wait(made)
        return made

    def image(self) -> str:
        """The image that every cloud has."""
        images = self.subject.list("image", "/v2/images", "images", name="minilinux")
        found: str = images[0]["id"]
        return found

    def wait(self, server_id: str) -> None:
        """Until nothing is being done to a server."""
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up:
            server = self.ask("GET", f"/servers/{server_id}")["server"]
            if server["OS-EXT-STS:task_state"] is None and server["status"] != "BUILD":
                return
            time.sleep(0.05)
        raise AssertionError(f"server {server_id} does not come to rest")

    def act(self, server_id: str, action: dict[str, Any], *, version: str = "latest") -> bool:
        """Try an action, and wait for its end."""
        done = self.tried("POST", f"/servers/{server_id}/action", action, version=version)
        self.wait(server_id)
        return done


def furnish(subject: Subject) -> dict[str, Any]:
    """Fill the cloud. What it does not offer yet is passed over: the tests of it fail, and stand in the ledger."""
    compute = Compute(subject)
    paths: Paths = {}

    def names(pattern: str, path: str, *, since: int = 1) -> None:
        paths.setdefault(pattern, {})[str(since)] = path

    _small_things(compute, names)
    server_id = _servers(compute, names)
    _network(compute, names)
    _volumes(compute, names, server_id)
    return {"url": compute.base, "token": subject.http.headers["X-Auth-Token"], "paths": paths}


def _small_things(compute: Compute, names: Any) -> None:
    flavor = {"name": "furnished", "ram": 64, "vcpus": 1, "disk": 1, "description": "one of everything"}
    flavor_id = compute.ask("POST", "/flavors", {"flavor": flavor})["flavor"]["id"]
    compute.ask("POST", f"/flavors/{flavor_id}/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "shared"}})
    private = {**flavor, "name": "private", "os-flavor-access:is_public": False}
    private_id = compute.ask("POST", "/flavors", {"flavor": private})["flavor"]["id"]
    compute.ask("POST", f"/flavors/{private_id}/action", {"addTenantAccess": {"tenant": compute.project_id}})
    names("/flavors/{id}", f"/flavors/{flavor_id}")
    names("/flavors/{flavor_id}/os-extra_specs", f"/flavors/{flavor_id}/os-extra_specs")
    names("/flavors/{flavor_id}/os-extra_specs/{id}", f"/flavors/{flavor_id}/os-extra_specs/hw:cpu_policy")
    names("/flavors/{flavor_id}/os-flavor-access", f"/flavors/{private_id}/os-flavor-access")
    compute.ask("POST", "/os-keypairs", {"keypair": {"name": "furnished"}}, version="2.91")
    names("/os-keypairs/{id}", "/os-keypairs/furnished")
    host = next(one for one in compute.ask("GET", "/os-services")["services"] if one["binary"] == "nova-compute")[
        "host"
    ]
    aggregate = compute.ask("POST", "/os-aggregates", {"aggregate": {"name": "furnished", "availability_zone": "nova"}})
    aggregate_id = aggregate["aggregate"]["id"]
    compute.ask("POST", f"/os-aggregates/{aggregate_id}/action", {"add_host": {"host": host}})
    compute.ask("POST", f"/os-aggregates/{aggregate_id}/action", {"set_metadata": {"metadata": {"rack": "a"}}})
    names("/os-aggregates/{id}", f"/os-aggregates/{aggregate_id}")
    for version, since in (("2.1", 1), ("latest", 53)):
        found = compute.ask("GET", "/os-hypervisors", version=version)["hypervisors"][0]["id"]
        for tail in ("", "/uptime"):
            names(f"/os-hypervisors/{{id}}{tail}", f"/os-hypervisors/{found}{tail}", since=since)
    names("/os-hypervisors/{id}/search", "/os-hypervisors/host/search")
    names("/os-hypervisors/{id}/servers", "/os-hypervisors/host/servers")
    names("/os-hosts/{id}", f"/os-hosts/{host}")
    for verb in ("startup", "shutdown", "reboot"):
        names(f"/os-hosts/{{id}}/{verb}", f"/os-hosts/{host}/{verb}")
    for tail in ("", "/defaults", "/detail"):
        names(f"/os-quota-sets/{{id}}{tail}", f"/os-quota-sets/{compute.project_id}{tail}")
    names("/os-quota-class-sets/{id}", "/os-quota-class-sets/default")
    names("/os-instance_usage_audit_log/{id}", "/os-instance_usage_audit_log/2026-01-05%2000:00:00")
    names("/os-simple-tenant-usage/{id}", f"/os-simple-tenant-usage/{compute.project_id}?start=2020-01-01T00:00:00")
    names("/os-simple-tenant-usage", "/os-simple-tenant-usage?start=2020-01-01T00:00:00&detailed=1")
    names("/extensions/{id}", "/extensions/os-hosts")
    names("/versions/{id}", "/versions/v2.1")
    for gone in ("os-agents", "os-cells", "os-certificates", "os-cloudpipe", "os-fixed-ips", "os-fping"):
        names(f"/{gone}/{{id}}", f"/{gone}/1")
    for gone in ("os-floating-ip-dns/{domain_id}/entries", "os-floating-ips-bulk", "os-security-group-default-rules"):
        names(f"/{gone}/{{id}}", f"/{gone.replace('{domain_id}', '1')}/1")
    names("/os-cells/{id}/capacities", "/os-cells/1/capacities")
    names("/os-baremetal-nodes/{id}", "/os-baremetal-nodes/1")
    names("/os-console-auth-tokens/{id}", "/os-console-auth-tokens/1")


def _servers(compute: Compute, names: Any) -> str:
    group = {"name": "furnished", "policy": "anti-affinity"}
    group_id = compute.ask("POST", "/os-server-groups", {"server_group": group})["server_group"]["id"]
    names("/os-server-groups/{id}", f"/os-server-groups/{group_id}")
    server_id = compute.server(
        "furnished",
        key_name="furnished",
        metadata={"a": "1"},
        tags=["one"],
        description="one of everything",
        user_data="aGVsbG8=",
        config_drive=True,
        security_groups=[{"name": "default"}],
        hints={"group": group_id},
    )
    failed = compute.server("failed", flavorRef=_too_large(compute))
    compute.act(server_id, {"lock": {"locked_reason": "for show"}})
    compute.act(server_id, {"unlock": None})
    gone = compute.server("gone")
    compute.ask("DELETE", f"/servers/{gone}")
    for pattern in ("", "/metadata", "/tags", "/ips", "/diagnostics", "/topology", "/migrations", "/shares"):
        shown = pattern or ""
        names(f"/servers/{{server_id}}{shown}", f"/servers/{server_id}{shown}")
    names("/servers/{id}", f"/servers/{server_id}")
    names("/os-volumes_boot/{id}", f"/os-volumes_boot/{server_id}")
    action = compute.ask("GET", f"/servers/{server_id}/os-instance-actions")["instanceActions"][0]["request_id"]
    for part in (
        "os-instance-actions",
        "os-interface",
        "os-security-groups",
        "os-server-password",
        "os-volume_attachments",
    ):
        names(f"/servers/{{server_id}}/{part}", f"/servers/{server_id}/{part}")
    names("/servers/{server_id}/os-instance-actions/{id}", f"/servers/{server_id}/os-instance-actions/{action}")
    port = compute.ask("GET", f"/servers/{server_id}/os-interface")["interfaceAttachments"][0]["port_id"]
    names("/servers/{server_id}/os-interface/{id}", f"/servers/{server_id}/os-interface/{port}")
    names("/servers/{server_id}/metadata/{id}", f"/servers/{server_id}/metadata/a")
    names("/servers/{server_id}/tags/{id}", f"/servers/{server_id}/tags/one")
    network = next(iter(compute.ask("GET", f"/servers/{server_id}/ips")["addresses"]))
    names("/servers/{server_id}/ips/{id}", f"/servers/{server_id}/ips/{network}")
    names("/servers/{server_id}/consoles", f"/servers/{server_id}/consoles")
    names("/servers/{server_id}/consoles/{id}", f"/servers/{server_id}/consoles/1")
    names("/servers/{server_id}/os-virtual-interfaces", f"/servers/{server_id}/os-virtual-interfaces")
    names("/servers/{server_id}/shares/{id}", f"/servers/{failed}/shares/1")
    image_id = compute.image()
    names("/images/{id}", f"/images/{image_id}")
    names("/images/{image_id}/metadata", f"/images/{image_id}/metadata")
    compute.ask("POST", f"/images/{image_id}/metadata", {"metadata": {"rack": "a"}}, version="2.38")
    names("/images/{image_id}/metadata/{id}", f"/images/{image_id}/metadata/rack")
    if compute.act(server_id, {"migrate": None}):
        compute.act(server_id, {"confirmResize": None})
    names("/servers/{server_id}/migrations/{id}", _on_its_way(compute))
    return server_id


def _on_its_way(compute: Compute) -> str:
    """Where a live migration that goes on is shown."""
    server_id = compute.server("moving")
    body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    compute.ask("POST", f"/servers/{server_id}/action", body)
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        found = compute.ask("GET", f"/servers/{server_id}/migrations")["migrations"]
        if found and found[0]["memory_total_bytes"]:
            return f"/servers/{server_id}/migrations/{found[0]['id']}"
        time.sleep(0.1)
    raise AssertionError("no migration is on its way")


def _too_large(compute: Compute) -> str:
    flavor = {"name": "too large", "ram": 1 << 24, "vcpus": 1, "disk": 1}
    made: str = compute.ask("POST", "/flavors", {"flavor": flavor})["flavor"]["id"]
    compute.ask("PUT", f"/os-quota-sets/{compute.project_id}", {"quota_set": {"ram": -1}})
    return made


def _network(compute: Compute, names: Any) -> None:
    network = compute.ask("GET", "/os-networks", version="2.35")["networks"][0]["id"]
    names("/os-networks/{id}", f"/os-networks/{network}")
    names("/os-tenant-networks/{id}", f"/os-tenant-networks/{network}")
    floating = compute.ask("POST", "/os-floating-ips", version="2.35")["floating_ip"]["id"]
    names("/os-floating-ips/{id}", f"/os-floating-ips/{floating}")
    body = {"security_group": {"name": "furnished", "description": "one of everything"}}
    group = compute.ask("POST", "/os-security-groups", body, version="2.35")["security_group"]["id"]
    rule = {"parent_group_id": group, "ip_protocol": "tcp", "from_port": 80, "to_port": 80}
    compute.ask("POST", "/os-security-group-rules", {"security_group_rule": rule}, version="2.35")
    names("/os-security-groups/{id}", f"/os-security-groups/{group}")


def _volumes(compute: Compute, names: Any, server_id: str) -> None:
    """A volume on the server and a snapshot of it, where there is a volume service."""
    volume = {"volume": {"display_name": "furnished", "size": 1}}
    if not compute.tried("POST", "/os-volumes", volume, version="2.35"):
        return
    volume_id = compute.ask("GET", "/os-volumes", version="2.35")["volumes"][0]["id"]
    names("/os-volumes/{id}", f"/os-volumes/{volume_id}")
    _wait(compute, volume_id, "available")
    if compute.tried(
        "POST", f"/servers/{server_id}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume_id}}
    ):
        _wait(compute, volume_id, "in-use")
        attached = f"/servers/{server_id}/os-volume_attachments/{volume_id}"
        names("/servers/{server_id}/os-volume_attachments/{id}", attached)
    snapshot = {"snapshot": {"volume_id": volume_id, "display_name": "furnished", "force": True}}
    if compute.tried("POST", "/os-snapshots", snapshot, version="2.35"):
        found = compute.ask("GET", "/os-snapshots", version="2.35")["snapshots"][0]["id"]
        names("/os-snapshots/{id}", f"/os-snapshots/{found}")


def _wait(compute: Compute, volume_id: str, status: str) -> None:
    """Until the volume has this status, however slow the computer is; at most a minute."""
    for _ in range(120):
        if compute.ask("GET", f"/os-volumes/{volume_id}", version="2.35")["volume"]["status"] == status:
            return
        time.sleep(0.5)
