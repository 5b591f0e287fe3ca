"""What identity holds from the first start on: the default domain, roles, projects, two users, and this cloud's catalog."""

import msgspec

from minicloud.core import records
from minicloud.core.identity import assignments, catalog, domains, projects, roles, users, wording
from minicloud.core.identity.assignments import Grant
from minicloud.core.identity.catalog import Endpoint, Service
from minicloud.core.identity.projects import Project
from minicloud.core.identity.roles import ImpliedRole, Role
from minicloud.core.identity.users import User
from minicloud.engines.database import Transaction

ROLES = ("admin", "manager", "member", "reader", "service")
IMPLIES = (("admin", "manager"), ("manager", "member"), ("member", "reader"))
PROJECTS = {
    "admin": "Bootstrap project for initializing the cloud.",
    "demo": "The project of the user demo.",
    "service": "The project of the cloud's own services.",
}
INTERFACES = ("admin", "internal", "public")


class BootEndpoint(msgspec.Struct, frozen=True):
    """A service of the catalog and where it answers: a path on this cloud (``/compute/v2.1``) or a full address."""

    service_type: str
    service_name: str
    url: str


ENDPOINTS = (
    BootEndpoint("identity", "keystone", "/identity"),
    BootEndpoint("compute", "nova", "/compute/v2.1"),
    BootEndpoint("image", "glance", "/image"),
    BootEndpoint("network", "neutron", "/network"),
    BootEndpoint("volumev3", "cinderv3", "/volume/v3/$(project_id)s"),
    BootEndpoint("block-storage", "cinder", "/volume/v3/$(project_id)s"),
    BootEndpoint("placement", "placement", "/placement"),
)
"""What a whole cloud offers, under the names that clients look for."""


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """What the first start needs to know. Hashes come from ``api.identity.passwords``."""

    admin_password_hash: str
    demo_password_hash: str
    region: str = "RegionOne"
    endpoints: tuple[BootEndpoint, ...] = ENDPOINTS


class Bootstrapped(msgspec.Struct, frozen=True):
    """The ids of what every cloud has, by name."""

    projects: dict[str, str]
    users: dict[str, str]
    roles: dict[str, str]


def bootstrap(tx: Transaction, wanted: Bootstrap) -> Bootstrapped:
    """Add what is missing; what is there stays as its owners made it, passwords and addresses included. Idempotent."""
    _default_domain(tx)
    role_ids = {name: _role(tx, name) for name in ROLES}
    for prior, implied in IMPLIES:
        if records.find(tx, ImpliedRole, role_ids[prior], role_ids[implied]) is None:
            roles.imply(tx, role_ids[prior], role_ids[implied])
    project_ids = {name: _project(tx, name, description) for name, description in PROJECTS.items()}
    user_ids = {
        "admin": _user(tx, "admin", wanted.admin_password_hash),
        "demo": _user(tx, "demo", wanted.demo_password_hash),
    }
    for user, target, role in (
        ("admin", "admin", "admin"),
        ("admin", "demo", "admin"),
        ("demo", "demo", "member"),
    ):
        _grant(tx, user_ids[user], "project", project_ids[target], role_ids[role])
    _grant(tx, user_ids["admin"], "system", "all", role_ids["admin"])
    catalog.ensure_region(tx, wanted.region)
    for endpoint in wanted.endpoints:
        _service(tx, endpoint, wanted.region)
    return Bootstrapped(project_ids, user_ids, role_ids)


def _default_domain(tx: Transaction) -> None:
    if domains.find(tx, domains.DEFAULT) is None:
        projects.create(
            tx,
            Project(
                id=domains.DEFAULT,
                name="Default",
                domain_id=None,
                parent_id=None,
                is_domain=True,
                description="The default domain",
            ),
        )


def _role(tx: Transaction, name: str) -> str:
    found = roles.find_by_name(tx, name)
    if found is None:
        found = roles.create(tx, Role(id=tx.ids.hex(), name=name, options={wording.IMMUTABLE: True}))
    return found.id


def _project(tx: Transaction, name: str, description: str) -> str:
    found = projects.find_by_name(tx, domains.DEFAULT, name)
    if found is None:
        found = projects.create(
            tx,
            Project(
                id=tx.ids.hex(),
                name=name,
                domain_id=domains.DEFAULT,
                parent_id=domains.DEFAULT,
                description=description,
            ),
        )
    return found.id


def _user(tx: Transaction, name: str, password_hash: str) -> str:
    found = users.find_by_name(tx, domains.DEFAULT, name)
    if found is None:
        found = users.create(
            tx, User(id=tx.ids.hex(), name=name, domain_id=domains.DEFAULT, password_hash=password_hash)
        )
    return found.id


def _grant(tx: Transaction, user_id: str, target_type: assignments.TargetType, target_id: str, role_id: str) -> None:
    assignments.grant(
        tx,
        Grant(actor_type="user", actor_id=user_id, target_type=target_type, target_id=target_id, role_id=role_id),
    )


def _service(tx: Transaction, wanted: BootEndpoint, region: str) -> None:
    if tx.one("SELECT 1 FROM catalog_services WHERE type = ?", [wanted.service_type]) is not None:
        return
    service = records.insert(tx, Service(id=tx.ids.hex(), type=wanted.service_type, name=wanted.service_name))
    url = wanted.url if "://" in wanted.url else f"{catalog.PUBLIC_URL}{wanted.url}"
    for interface in INTERFACES:
        records.insert(
            tx,
            Endpoint(id=tx.ids.hex(), service_id=service.id, region_id=region, interface=interface, url=url),
        )
