"""The list of who holds which role where."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.identity import views
from minicloud.api.identity.targets import ADMIN_OR_SYSTEM_READER, OF_ALL
from minicloud.api.identity.views import View
from minicloud.api.listing import truth
from minicloud.api.routes import Get, scoped
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.identity import projects, role_assignments
from minicloud.core.identity.projects import Project
from minicloud.core.identity.role_assignments import Assigned, Names, Wanted
from minicloud.core.records import Transaction


def _flag(call: Call, name: str) -> bool:
    """A parameter that is on when it is there at all, unless it says no."""
    value = call.parameter(name)
    return value is not None and (value == "" or truth(value))


def _wanted(call: Call) -> Wanted:
    """What the query asks for. Raises Invalid for combinations that contradict themselves."""
    project, domain, system = (call.parameter(f"scope.{name}") for name in ("project.id", "domain.id", "system"))
    user, group = call.parameter("user.id"), call.parameter("group.id")
    if project and domain:
        raise Invalid("Specify a domain or project, not both")
    if system and domain:
        raise Invalid("Specify system or domain, not both")
    if system and project:
        raise Invalid("Specify system or project, not both")
    if user and group:
        raise Invalid("Specify a user or group, not both")
    below = call.parameter("scope.OS-INHERIT:inherited_to")
    wanted = Wanted(
        role_id=call.parameter("role.id"),
        user_id=user,
        group_id=group,
        project_id=project,
        domain_id=domain,
        system=system == "all",
        inherited=None if below is None else below == "projects",
        effective=_flag(call, "effective"),
        subtree=_flag(call, "include_subtree"),
    )
    if wanted.effective and group:
        raise Invalid("Combining effective and group filter will always result in an empty list.")
    if wanted.effective and wanted.inherited and domain:
        raise Invalid("Combining effective, domain and inherited filters will always result in an empty list.")
    return wanted


async def index(call: Call) -> View:
    """``GET /v3/role_assignments``"""

    def read(tx: Transaction) -> tuple[list[Assigned], Names | None]:
        _judge(tx, call)
        found = role_assignments.listed(tx, _wanted(call))
        own = call.context.domain_id
        if own is not None:
            found = _in_domain(tx, found, own)
        return found, role_assignments.names(tx, found) if _flag(call, "include_names") else None

    found, names = await call.read(read)
    return views.collection(call, "role_assignments", (_view(call, assigned, names) for assigned in found))


def _judge(tx: Transaction, call: Call) -> None:
    if not _flag(call, "include_subtree"):
        call.judge({"target.domain_id": call.context.domain_id})
        return
    project_id = call.parameter("scope.project.id")
    target = {} if not project_id else {"target.domain_id": projects.get(tx, project_id).domain_id}
    call.judge(target, rule="identity:list_role_assignments_for_tree")
    if not project_id:
        raise Invalid("scope.project.id must be specified if include_subtree is also specified")


def _in_domain(tx: Transaction, found: list[Assigned], domain_id: str) -> list[Assigned]:
    here = {project.id for project in records.select(tx, Project, "domain_id = ?", [domain_id])} | {domain_id}
    return [assigned for assigned in found if assigned.grant.target_id in here]


def _view(call: Call, assigned: Assigned, names: Names | None) -> View:
    grant = assigned.grant
    place: dict[str, Any]
    if grant.target_type == "system":
        place, link = {"system": {"all": True}}, "/system"
    else:
        place = {grant.target_type: _named(grant.target_id, None if names is None else names.projects, names)}
        kind, target_id = assigned.via_target or (grant.target_type, grant.target_id)
        link = f"/{kind}s/{target_id}"
    inherited = grant.inherited or assigned.via_target is not None
    if inherited:
        place["OS-INHERIT:inherited_to"] = "projects"
    links: dict[str, str] = {}
    if assigned.via_group is not None:
        links["membership"] = call.url(f"/groups/{assigned.via_group}/users/{grant.actor_id}")
        link += f"/groups/{assigned.via_group}"
    else:
        link += f"/{grant.actor_type}s/{grant.actor_id}"
    link += f"/roles/{assigned.via_role or grant.role_id}"
    if inherited:
        link = f"/OS-INHERIT{link}/inherited_to_projects"
    links["assignment"] = call.url(link)
    if assigned.via_role is not None:
        links["prior_role"] = call.url(f"/prior_role/{grant.role_id}/implies/{assigned.via_role}")
    actors: Any = None
    if names is not None:
        actors = names.users if grant.actor_type == "user" else names.groups
    return {
        "links": links,
        "scope": place,
        grant.actor_type: _named(grant.actor_id, actors, names),
        "role": _named(grant.role_id, None if names is None else names.roles, names),
    }


def _named(id: str, known: dict[str, Any] | None, names: Names | None) -> View:
    """An id; with the name and the domain of what it stands for, when names are asked for."""
    if known is None or names is None:
        return {"id": id}
    thing = known.get(id)
    if thing is None:
        return {"id": id, "name": "", "domain": {"id": "", "name": ""}}
    made: View = {"id": id, "name": thing.name}
    if thing.domain_id is not None:
        made["domain"] = {"id": thing.domain_id, "name": names.projects[thing.domain_id].name}
    return made


LIST = f"{ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.domain_id)s and not None:%(target.domain_id)s)"

routes = scoped(
    OF_ALL,
    [
        Get(
            "/role_assignments",
            index,
            policy="identity:list_role_assignments",
            allow=LIST,
            late=True,
            extra=[("identity:list_role_assignments_for_tree", LIST)],
        ),
    ],
)
