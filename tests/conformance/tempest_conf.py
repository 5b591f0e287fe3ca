"""tempest.conf and accounts.yaml, written from what a running cloud says of itself."""

import configparser
from pathlib import Path
from typing import Any

import yaml

from tests.conformance.subjects import PASSWORD, Subject

SERVICES = {
    "nova": "compute",
    "glance": "image",
    "neutron": "network",
    "cinder": "volumev3",
    "swift": "object-store",
    "horizon": "dashboard",
}
ACCOUNTS = 12
"""Users of their own projects that a run with pre-provisioned credentials is given."""

SYSTEM_READERS = 3

Config = dict[str, dict[str, Any]]


def write(
    subject: Subject, folder: Path, settings: dict[str, int | str], *, disk_url: str, pre_provisioned: bool
) -> Path:
    """Write the configuration into a folder; returns the file.

    ``settings`` are those that the cloud was given; ``disk_url`` is where an image may be imported from.
    """
    found = _config(subject, folder)
    found["image"] = {"http_image": disk_url, "http_qcow2_image": disk_url, "image_caching_enabled": True}
    # A simulated disk is copied in no time: who waits to see it being copied waits in vain.
    found["image"]["build_timeout"] = 30
    found["identity"] |= {
        "user_lockout_failure_attempts": settings.get("lockout_failure_attempts", 0),
        "user_lockout_duration": settings.get("lockout_duration", 0),
        "user_unique_last_password_count": settings.get("unique_last_password_count", 0),
    }
    found["identity-feature-enabled"]["security_compliance"] = "lockout_failure_attempts" in settings
    if pre_provisioned:
        accounts = folder / "accounts.yaml"
        accounts.write_text(yaml.safe_dump(_accounts(subject)))
        found["auth"] |= {"use_dynamic_credentials": False, "test_accounts_file": accounts}
    parser = configparser.ConfigParser(interpolation=None)
    for section, options in found.items():
        parser[section] = {name: str(value) for name, value in options.items()}
    path = folder / "tempest.conf"
    with path.open("w") as out:
        parser.write(out)
    return path


def _config(subject: Subject, folder: Path) -> Config:
    offered = {name: subject.endpoint(kind) is not None for name, kind in SERVICES.items()}
    found: Config = {
        "DEFAULT": {"log_file": folder / "tempest.log", "debug": False},
        "oslo_concurrency": {"lock_path": folder / "lock"},
        "auth": {
            "use_dynamic_credentials": True,
            "admin_username": "admin",
            "admin_password": PASSWORD,
            "admin_project_name": "admin",
            "admin_domain_name": "Default",
            "admin_user_domain_name": "Default",
            "admin_system": "all",
            "create_isolated_networks": offered["neutron"],
        },
        "identity": {
            "uri_v3": f"{subject.url}/identity/v3",
            "auth_version": "v3",
            "region": "RegionOne",
            "v3_endpoint_type": "public",
            "default_domain_id": "default",
        },
        "identity-feature-enabled": {
            "api_v3": True,
            "trust": True,
            "application_credentials": True,
            "access_rules": True,
            "project_tags": True,
            "domain_specific_drivers": True,
            "external_idp": False,
        },
        "service_available": offered,
        "enforce_scope": {"nova": True},
        "validation": {"run_validation": False},
    }
    found |= _compute(subject) | _network(subject) | (_volume(subject) if offered["cinder"] else {})
    return found


def _volume(subject: Subject) -> Config:
    shared = {"name": "multiattach", "extra_specs": {"multiattach": "<is> True"}}
    subject.http.post("/volume/v3/types", json={"volume_type": shared}).raise_for_status()
    return {
        "volume": {
            "min_microversion": "3.0",
            "max_microversion": "latest",
            "build_interval": 1,
            "volume_type_multiattach": "multiattach",
            "storage_protocol": "file",
        },
        "volume-feature-enabled": {"extend_attached_volume": True, "manage_volume": True, "manage_snapshot": True},
    }


def _compute(subject: Subject) -> Config:
    images = subject.list("image", "/v2/images", "images", sort="created_at:asc")
    flavors = sorted(
        subject.list("compute", "/flavors/detail", "flavors"), key=lambda one: (one["ram"], one["disk"], one["vcpus"])
    )
    if not images or len(flavors) < 2:
        return {}
    return {
        "compute": {
            "image_ref": images[0]["id"],
            "image_ref_alt": images[-1]["id"] if len(images) > 1 else _copied(subject, images[0]),
            "flavor_ref": flavors[0]["id"],
            "flavor_ref_alt": flavors[1]["id"],
            "min_compute_nodes": len(subject.list("compute", "/os-hypervisors", "hypervisors")),
            "max_microversion": "latest",
        },
        "compute-feature-enabled": {
            "console_output": True,
            "vnc_console": False,
            "metadata_service": True,
            "resize": True,
            "cold_migration": True,
            "rescue": True,
            "volume_multiattach": True,
            "shelve": True,
            "live_migration": True,
            "live_migrate_paused_instances": True,
            "live_migrate_back_and_forth": True,
            "block_migration_for_live_migration": True,
            "volume_backed_live_migration": subject.endpoint("volumev3") is not None,
            "stable_rescue": True,
            "personality": True,
            "change_password": True,
            "swap_volume": subject.endpoint("volumev3") is not None,
            "hostname_fqdn_sanitization": True,
            "scheduler_enabled_filters": "all",
            "nova_policy_roles": "admin,manager,member,reader",
        },
    }


def _copied(subject: Subject, image: dict[str, Any]) -> str:
    """Another image with the same bytes; its id."""
    base = subject.endpoint("image")
    kept = ("disk_format", "container_format", "min_disk", "min_ram", "visibility")
    body = {"name": f"{image['name']}-copy", **{name: image[name] for name in kept}}
    made: str = subject.http.post(f"{base}/v2/images", json=body).raise_for_status().json()["id"]
    data = subject.http.get(f"{base}/v2/images/{image['id']}/file").raise_for_status().content
    kind = {"Content-Type": "application/octet-stream"}
    subject.http.put(f"{base}/v2/images/{made}/file", content=data, headers=kind).raise_for_status()
    return made


def _network(subject: Subject) -> Config:
    outside = subject.list("network", "/v2.0/networks", "networks", **{"router:external": "true"})
    if not outside:
        return {}
    extensions = subject.list("network", "/v2.0/extensions", "extensions")
    return {
        "network": {
            "public_network_id": outside[0]["id"],
            "floating_network_name": outside[0]["name"],
            "project_network_cidr": "10.100.0.0/16",
            "project_network_mask_bits": 28,
        },
        "network-feature-enabled": {
            "api_extensions": ",".join(sorted(one["alias"] for one in extensions)),
            "ipv6": True,
            "ipv6_subnet_attributes": True,
        },
        "neutron_plugin_options": {
            "available_type_drivers": "flat,geneve,gre,local,vlan,vxlan",
            "provider_vlans": "physnet",
            "dns_domain": "openstacklocal",
            "agent_availability_zone": "nova",
            "max_mtu": 9000,
            "create_shared_resources": True,
        },
    }


def _accounts(subject: Subject) -> list[dict[str, Any]]:
    """Users with a project each, and administrators, as Tempest's file has them."""
    roles = {role["name"]: role["id"] for role in subject.list("identity", "/v3/roles", "roles")}
    made = []
    for number in range(ACCOUNTS):
        name = f"tempest-{number}"
        project = subject.post("/projects", {"project": {"name": name}})["project"]
        user = subject.post("/users", {"user": {"name": name, "password": PASSWORD}})["user"]
        granted = ["admin"] if number >= ACCOUNTS - 4 else ["member", "reader"]
        for role in granted:
            path = f"/identity/v3/projects/{project['id']}/users/{user['id']}/roles/{roles[role]}"
            subject.http.put(path).raise_for_status()
        account: dict[str, Any] = {"username": name, "project_name": name, "password": PASSWORD}
        made.append(account | {"domain_name": "Default", "roles": granted})
        if granted == ["admin"]:
            made[-1]["types"] = ["admin"]
    for number in range(SYSTEM_READERS):
        name = f"tempest-reader-{number}"
        user = subject.post("/users", {"user": {"name": name, "password": PASSWORD}})["user"]
        subject.http.put(f"/identity/v3/system/users/{user['id']}/roles/{roles['reader']}").raise_for_status()
        made.append(
            {
                "username": name,
                "password": PASSWORD,
                "system": "all",
                "user_domain_name": "Default",
                "roles": ["reader"],
            }
        )
    return made
