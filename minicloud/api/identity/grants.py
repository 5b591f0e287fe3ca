"""Grants: assigning roles to users and groups on projects, domains and the system, and taking them away."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.identity import views
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER, OF_ALL, target
from minicloud.api.identity.views import View
from minicloud.api.routes import Delete, Get, Put, Route, scoped
from minicloud.core.identity import assignments, groups, users
from minicloud.core.identity.assignments import ActorType, Grant, Scope, TargetType
from minicloud.core.identity.roles import Role
from minicloud.core.identity.roles import get as get_role
from minicloud.core.records import Transaction


def _of_domain(role: str) -> str:
    """Somebody of one domain, with actor and target in it; ``role`` is held there."""
    return " or ".join(
        f"(role:{role} and domain_id:%(target.{actor}.domain_id)s and domain_id:%({where})s)"
        for actor in ("user", "group")
        for where in ("target.project.domain_id", "target.domain.id")
    )


ROLE_OF_DOMAIN = "(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)"
LIST = f"{ADMIN_OR_SYSTEM_READER} or {_of_domain('reader')}"
CHECK = f"{ADMIN_OR_SYSTEM_READER} or ({_of_domain('reader')}) and {ROLE_OF_DOMAIN}"
CHANGE = (
    f"{ADMIN} or ({_of_domain('admin')}) and {ROLE_OF_DOMAIN} "
    f"or ({_of_domain('manager')}) and rule:domain_managed_target_role"
)


class Grants:
    """Handlers for one kind of target and one kind of actor."""

    def __init__(self, where: TargetType, actor: ActorType, *, inherited: bool = False) -> None:
        self._where = where
        self._actor = actor
        self._inherited = inherited

    async def index(self, call: Call, target_id: str, actor_id: str) -> View:
        """The roles of an actor at a target."""

        def read(tx: Transaction) -> list[Role]:
            self._judge(tx, call, target_id, actor_id)
            return assignments.granted(
                tx, self._actor, actor_id, Scope(self._where, target_id), inherited=self._inherited
            )

        return views.collection(call, "roles", (views.role(call, role) for role in await call.read(read)))

    async def check(self, call: Call, target_id: str, actor_id: str, role_id: str) -> None:
        """Whether a role is assigned."""

        def read(tx: Transaction) -> None:
            self._judge(tx, call, target_id, actor_id, role_id)
            assignments.require(tx, self._grant(target_id, actor_id, role_id))

        await call.read(read)

    async def grant(self, call: Call, target_id: str, actor_id: str, role_id: str) -> None:
        """Assign a role."""

        def change(tx: Transaction) -> None:
            self._judge(tx, call, target_id, actor_id, role_id)
            assignments.grant(tx, self._grant(target_id, actor_id, role_id))
            tx.after_commit(call.means.forget_tokens)

        await call.write(change)

    async def revoke(self, call: Call, target_id: str, actor_id: str, role_id: str) -> None:
        """Take a role away, even from somebody who is gone."""

        def change(tx: Transaction) -> None:
            self._judge(tx, call, target_id, actor_id, role_id, gone_too=True)
            assignments.revoke(tx, self._grant(target_id, actor_id, role_id))
            tx.after_commit(call.means.forget_tokens)

        await call.write(change)

    async def system_index(self, call: Call, actor_id: str) -> View:
        """The roles of an actor on the system."""
        return await self.index(call, "all", actor_id)

    async def system_check(self, call: Call, actor_id: str, role_id: str) -> None:
        """Whether a role is assigned on the system."""
        await self.check(call, "all", actor_id, role_id)

    async def system_grant(self, call: Call, actor_id: str, role_id: str) -> None:
        """Assign a role on the system."""
        await self.grant(call, "all", actor_id, role_id)

    async def system_revoke(self, call: Call, actor_id: str, role_id: str) -> None:
        """Take a role on the system away."""
        await self.revoke(call, "all", actor_id, role_id)

    def _grant(self, target_id: str, actor_id: str, role_id: str) -> Grant:
        return Grant(
            actor_type=self._actor,
            actor_id=actor_id,
            target_type=self._where,
            target_id=target_id,
            role_id=role_id,
            inherited=self._inherited,
        )

    def _judge(
        self,
        tx: Transaction,
        call: Call,
        target_id: str,
        actor_id: str,
        role_id: str | None = None,
        *,
        gone_too: bool = False,
    ) -> None:
        """Raises NotFound for what is not there, then Forbidden: a policy needs to see role, actor and target."""
        things: dict[str, Any] = {}
        if role_id is not None:
            things["role"] = get_role(tx, role_id)
        if self._actor == "user":
            things["user"] = users.find(tx, actor_id) if gone_too else users.get(tx, actor_id)
        else:
            things["group"] = groups.find(tx, actor_id) if gone_too else groups.get(tx, actor_id)
        things[self._where] = assignments.require_target(tx, Scope(self._where, target_id))
        call.judge(target(**things))


def _routes(where: TargetType, actor: ActorType, *, inherited: bool = False) -> list[Route]:
    made = Grants(where, actor, inherited=inherited)
    all_ = f"/{where}s/{{target_id}}/{actor}s/{{actor_id}}/roles"
    one = f"{all_}/{{role_id}}"
    if inherited:
        all_ = f"/OS-INHERIT{all_}/inherited_to_projects"
        one = f"/OS-INHERIT{one}/inherited_to_projects"
    return scoped(
        OF_ALL,
        [
            Get(all_, made.index, policy="identity:list_grants", allow=LIST, late=True),
            Get(one, made.check, policy="identity:check_grant", allow=CHECK, late=True, status=204),
            Put(one, made.grant, policy="identity:create_grant", allow=CHANGE, late=True, status=204),
            Delete(one, made.revoke, policy="identity:revoke_grant", allow=CHANGE, late=True),
        ],
    )


def _system_routes(actor: ActorType) -> list[Route]:
    made = Grants("system", actor)
    all_ = f"/system/{actor}s/{{actor_id}}/roles"
    one = f"{all_}/{{role_id}}"
    reading: dict[str, Any] = {"allow": ADMIN_OR_SYSTEM_READER, "late": True}
    changing: dict[str, Any] = {"allow": ADMIN, "late": True, "status": 204}
    return [
        Get(all_, made.system_index, policy=f"identity:list_system_grants_for_{actor}", **reading),
        Get(one, made.system_check, policy=f"identity:check_system_grant_for_{actor}", status=204, **reading),
        Put(one, made.system_grant, policy=f"identity:create_system_grant_for_{actor}", **changing),
        Delete(one, made.system_revoke, policy=f"identity:revoke_system_grant_for_{actor}", **changing),
    ]


_TARGETS: tuple[TargetType, ...] = ("project", "domain")
_ACTORS: tuple[ActorType, ...] = ("user", "group")

routes = [
    route
    for lines in (
        *(_routes(where, actor, inherited=below) for where in _TARGETS for actor in _ACTORS for below in (False, True)),
        *(_system_routes(actor) for actor in _ACTORS),
    )
    for route in lines
]
