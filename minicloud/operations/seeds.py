"""Planting seeds: what a seed file asks for and is missing is made, in one transaction; what is there stays. Idempotent."""

import ipaddress
from collections.abc import Callable
from pathlib import Path

from minicloud.api.identity.passwords import Passwords
from minicloud.base import trace
from minicloud.base.errors import CloudError, Invalid, NotFound
from minicloud.conductor.executor import Executor
from minicloud.conductor.image.import_image import guest_image
from minicloud.core import quota, records
from minicloud.core.compute import flavors
from minicloud.core.context import administrator
from minicloud.core.identity import assignments, domains, projects, roles, users
from minicloud.core.identity.assignments import Grant
from minicloud.core.identity.projects import Project
from minicloud.core.identity.roles import Role
from minicloud.core.identity.users import User
from minicloud.core.network import networks, router_interfaces, routers, subnets
from minicloud.core.network import quotas as network_quotas
from minicloud.core.network.routers import GatewayWish
from minicloud.core.network.rows import Network
from minicloud.engines.database import Database, Transaction
from minicloud.operations import seed_file
from minicloud.operations.seed_file import Seeds


async def plant(path: str, database: Database, executor: Executor, passwords: Passwords) -> int:
    """Make what a file asks for; how many things it made. Raises Invalid, naming the line, and makes nothing then."""
    seeds, folder = read(path), _folder(path)
    missing = await database.read(lambda tx: [one for one in seeds.users if _user(tx, one) is None])
    hashes = {(one.domain, one.name): await passwords.hash(one.password) for one in missing}
    made = await database.write(lambda tx: _planted(tx, seeds, hashes, executor, folder))
    trace.note("seeds_planted", file=path, made=made)
    return made


def _folder(path: str) -> Path:
    """Where files that the seed file names are looked for."""
    return Path(path).expanduser().absolute().parent


def read(path: str) -> Seeds:
    """The file, read. Raises Invalid."""
    try:
        return seed_file.parse(Path(path).expanduser().read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"Cannot read the seed file {path}: {error}") from error


def _planted(
    tx: Transaction, seeds: Seeds, hashes: dict[tuple[str, str], str], executor: Executor, folder: Path
) -> int:
    def each(entries: list[seed_file.E], make: Callable[[seed_file.E], int]) -> int:
        count = 0
        for entry in entries:
            try:
                count += make(entry)
            except CloudError as error:
                raise seed_file.at(seeds.name, entry.line, error.message) from error
        return count

    return (
        each(seeds.domains, lambda one: _domain(tx, one))
        + each(seeds.roles, lambda one: _role(tx, one))
        + each(seeds.projects, lambda one: _project(tx, one))
        + each(seeds.users, lambda one: _new_user(tx, one, hashes))
        + each(seeds.flavors, lambda one: _flavor(tx, one))
        + each(seeds.images, lambda one: _image(tx, one, executor, folder))
    )


def _domain_id(tx: Transaction, name: str) -> str:
    found = domains.find_by_name(tx, name) or domains.find(tx, name)
    if found is None:
        raise NotFound(f"there is no domain {name}")
    return found.id


def _domain(tx: Transaction, wanted: seed_file.Domain) -> int:
    if domains.find_by_name(tx, wanted.name) is not None:
        return 0
    domain = Project(
        id=tx.ids.hex(),
        name=wanted.name,
        domain_id=None,
        parent_id=None,
        is_domain=True,
        description=wanted.description,
    )
    projects.create(tx, domain)
    return 1


def _role(tx: Transaction, wanted: seed_file.Role) -> int:
    if roles.find_by_name(tx, wanted.name) is not None:
        return 0
    roles.create(tx, Role(id=tx.ids.hex(), name=wanted.name, description=wanted.description))
    return 1


def _project(tx: Transaction, wanted: seed_file.Project) -> int:
    domain_id = _domain_id(tx, wanted.domain)
    found = projects.find_by_name(tx, domain_id, wanted.name)
    made = 0
    if found is None:
        found = projects.create(
            tx,
            Project(
                id=tx.ids.hex(),
                name=wanted.name,
                domain_id=domain_id,
                parent_id=domain_id,
                description=wanted.description,
            ),
        )
        made = 1
        # Only a new project gets the file's quotas: later ones are its administrators' choice.
        _quotas(tx, found.id, wanted.quotas)
    return made + sum(_network(tx, found.id, one) for one in wanted.networks)


def _quotas(tx: Transaction, project_id: str, wanted: dict[str, int]) -> None:
    services = {resource: service for service, limits in quota.DEFAULTS.items() for resource in limits}
    services |= dict.fromkeys(network_quotas.DEFAULTS, "network")
    for resource, limit in wanted.items():
        if resource not in services:
            raise Invalid(f"there is no quota {resource}, only {', '.join(sorted(services))}")
        if limit < quota.UNLIMITED:
            raise Invalid(f"the quota {resource} should be a number, or -1 for no limit, not {limit}")
        if services[resource] == "network":
            network_quotas.change(tx, project_id, {resource: limit})
        else:
            quota.set_limits(tx, services[resource], project_id, {resource: limit})


def _network(tx: Transaction, project_id: str, wanted: seed_file.Network) -> int:
    if records.select(tx, Network, "project_id = ? AND name = ?", [project_id, wanted.name]):
        return 0
    try:
        net = ipaddress.ip_network(wanted.cidr)
    except ValueError as error:
        raise Invalid(f"the cidr of {wanted.name} is none: {error}") from error
    cloud = administrator()
    network = networks.create(tx, project_id=project_id, name=wanted.name)
    subnet = subnets.create(
        tx, network, project_id=project_id, name=f"{wanted.name}-subnet", cidr=wanted.cidr, ip_version=net.version
    )
    if wanted.router:
        outside = records.select(tx, Network, "external = 1 ORDER BY is_default DESC, id")
        wish = GatewayWish(network_id=outside[0].id) if outside else None
        router = routers.create(tx, cloud, project_id=project_id, name=f"{wanted.name}-router", gateway=wish)
        router_interfaces.add(tx, cloud, router, subnet_id=subnet.id)
    return 1


def _user(tx: Transaction, wanted: seed_file.User) -> User | None:
    domain = domains.find_by_name(tx, wanted.domain) or domains.find(tx, wanted.domain)
    return None if domain is None else users.find_by_name(tx, domain.id, wanted.name)


def _new_user(tx: Transaction, wanted: seed_file.User, hashes: dict[tuple[str, str], str]) -> int:
    domain_id = _domain_id(tx, wanted.domain)
    found = users.find_by_name(tx, domain_id, wanted.name)
    made = 0
    if found is None:
        hashed = hashes[wanted.domain, wanted.name]
        found = users.create(tx, User(id=tx.ids.hex(), name=wanted.name, domain_id=domain_id, password_hash=hashed))
        made = 1
    for grant in wanted.roles:
        role = roles.find_by_name(tx, grant.role)
        project = projects.find_by_name(tx, _domain_id(tx, grant.domain), grant.project)
        if role is None:
            raise NotFound(f"there is no role {grant.role}")
        if project is None:
            raise NotFound(f"there is no project {grant.project} in domain {grant.domain}")
        held = Grant(actor_type="user", actor_id=found.id, target_type="project", target_id=project.id, role_id=role.id)
        assignments.grant(tx, held)
    return made


def _flavor(tx: Transaction, wanted: seed_file.Flavor) -> int:
    if records.select(tx, flavors.Flavor, "name = ?", [wanted.name]):
        return 0
    if wanted.vcpus < 1 or wanted.ram < 1 or wanted.disk < 0:
        raise Invalid("a flavor has at least 1 vcpu, 1 MiB of ram and 0 GiB of disk")
    flavors.create(tx, name=wanted.name, vcpus=wanted.vcpus, memory_mb=wanted.ram, disk=wanted.disk, flavorid=wanted.id)
    return 1


def _image(tx: Transaction, wanted: seed_file.Image, executor: Executor, folder: Path) -> int:
    source = folder / Path(wanted.file).expanduser()
    if not source.is_file():
        raise NotFound(f"there is no image file {source}")
    saga = guest_image(
        tx,
        name=wanted.name,
        source=str(source),
        min_disk=wanted.min_disk,
        min_ram=wanted.min_ram,
        properties=wanted.properties,
    )
    if saga is None:
        return 0
    executor.begin(tx, saga)
    return 1
