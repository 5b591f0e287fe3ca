"""Quota sets over HTTP: the limits of a project, what it uses of them, the defaults (``/os-quota-sets``)."""

from typing import Annotated, Any

from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.compute.quota_views import MOVED_AWAY, Limits, Number, given
from minicloud.api.listing import truth
from minicloud.api.microversions import Until
from minicloud.api.routes import Delete, Get, Put
from minicloud.core import quota
from minicloud.core.compute import quotas
from minicloud.core.policy import ADMIN, ANYONE, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-quota-sets"


class Usage(Body):
    """A resource in the detailed view."""

    limit: int
    in_use: int
    reserved: int = 0


class QuotaSet(Body, wrap="quota_set"):
    """The limits of a project; in the detailed view each with its usage."""

    instances: int | Usage
    cores: int | Usage
    ram: int | Usage
    metadata_items: int | Usage
    key_pairs: int | Usage
    server_groups: int | Usage
    server_group_members: int | Usage
    injected_files: Annotated[int | Usage, Until("2.56")]
    injected_file_content_bytes: Annotated[int | Usage, Until("2.56")]
    injected_file_path_bytes: Annotated[int | Usage, Until("2.56")]
    fixed_ips: Annotated[int | Usage, Until("2.35")]
    floating_ips: Annotated[int | Usage, Until("2.35")]
    security_groups: Annotated[int | Usage, Until("2.35")]
    security_group_rules: Annotated[int | Usage, Until("2.35")]
    id: str | UnsetType = UNSET


class QuotaUpdate(Limits, wrap="quota_set"):
    """The body of PUT. Limits of what the network service counts are accepted while the API had them, and bind nothing."""

    force: bool | str = False
    fixed_ips: Annotated[Number, Until("2.35")] = UNSET
    floating_ips: Annotated[Number, Until("2.35")] = UNSET
    security_groups: Annotated[Number, Until("2.35")] = UNSET
    security_group_rules: Annotated[Number, Until("2.35")] = UNSET


def view(limits: dict[str, int], project_id: str | None) -> QuotaSet:
    """The limits of a project."""
    moved = dict.fromkeys(MOVED_AWAY, quota.UNLIMITED)
    return QuotaSet(**{**moved, **limits}, id=UNSET if project_id is None else project_id)


async def show(call: Call, project_id: str) -> Any:
    """The limits of a project."""
    queries.only(call, "user_id")
    call.judge({"project_id": project_id})

    def work(tx: Transaction) -> dict[str, int]:
        quotas.require_project(tx, project_id)
        return quotas.limits(tx, project_id, call.parameter("user_id"))

    return view(await call.read(work), project_id)


async def defaults(call: Call, project_id: str) -> Any:
    """The limits that a project has for which nobody set others."""

    def work(tx: Transaction) -> dict[str, int]:
        quotas.require_project(tx, project_id)
        return quota.defaults(tx, quotas.SERVICE)

    return view(await call.read(work), project_id)


async def detail(call: Call, project_id: str) -> Any:
    """The limits of a project with what it uses of them."""
    queries.only(call, "user_id")
    call.judge({"project_id": project_id})

    def work(tx: Transaction) -> dict[str, Usage]:
        quotas.require_project(tx, project_id)
        user_id = call.parameter("user_id")
        used, limits = quotas.in_use(tx, project_id, user_id), quotas.limits(tx, project_id, user_id)
        return {name: Usage(limit=limit, in_use=used.get(name, 0)) for name, limit in limits.items()}

    moved = {name: Usage(limit=quota.UNLIMITED, in_use=0) for name in MOVED_AWAY}
    return QuotaSet(**{**moved, **await call.read(work)}, id=project_id)


async def update(call: Call, project_id: str, body: QuotaUpdate) -> Any:
    """Other limits for a project or for one of its users. Not below what is in use, unless forced."""
    queries.only(call, "user_id")
    user_id = call.parameter("user_id")
    force = truth(str(body.force))
    values = given(body)

    def work(tx: Transaction) -> dict[str, int]:
        quotas.change(tx, project_id, values, force=force, user_id=user_id)
        return quotas.limits(tx, project_id, user_id)

    return view(await call.write(work), None)


async def delete(call: Call, project_id: str) -> None:
    """The defaults again."""
    queries.only(call, "user_id")
    await call.write(lambda tx: quotas.reset(tx, project_id, call.parameter("user_id")))


_PATH = "/os-quota-sets/{project_id}"

routes = [
    Get(_PATH, show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN, late=True),
    Get(f"{_PATH}/defaults", defaults, policy=f"{POLICY}:defaults", allow=ANYONE),
    Get(f"{_PATH}/detail", detail, policy=f"{POLICY}:detail", allow=PROJECT_READER_OR_ADMIN, late=True),
    Put(_PATH, update, policy=f"{POLICY}:update", allow=ADMIN),
    Delete(_PATH, delete, policy=f"{POLICY}:delete", allow=ADMIN, status=202),
]
