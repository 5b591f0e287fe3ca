"""Users."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.documents import Id, Name, Truth, UserOptions
from minicloud.api.identity.passwords import Passwords
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER, DOMAIN_READER_LISTING, OF_ALL, target
from minicloud.api.identity.views import View
from minicloud.api.listing import equal, flag
from minicloud.api.routes import Delete, Get, Patch, Post, Route, scoped
from minicloud.base.errors import Invalid
from minicloud.core.identity import assignments, groups, password_rules, users, wording
from minicloud.core.identity.password_rules import PasswordRules
from minicloud.core.identity.projects import Project
from minicloud.core.identity.users import User
from minicloud.core.records import Transaction

SHOW = (
    f"{ADMIN_OR_SYSTEM_READER} or (role:reader and token.domain.id:%(target.user.domain_id)s) "
    "or user_id:%(target.user.id)s"
)
MANAGE = f"{ADMIN} or (role:manager and token.domain.id:%(target.user.domain_id)s)"
GROUPS = f"{ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(user_id)s"
PROJECTS = (
    f"{ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(target.user.id)s"
)
OWN = f"{ADMIN} or user_id:%(user_id)s"

USERS = lists.listing(
    "users", {"domain_id": equal("domain_id"), "enabled": flag("enabled"), **lists.text_filter("name")}
)


class UserDocument(Body, open=True):
    """A document with a user."""

    user: dict[str, Any]


class UserFields(msgspec.Struct):
    """What a user has by the API's definition; anything else is kept as it comes."""

    name: Name | UnsetType = UNSET
    domain_id: Id | UnsetType | None = UNSET
    enabled: Truth | UnsetType = UNSET
    default_project_id: str | UnsetType | None = UNSET
    password: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    options: UserOptions | UnsetType = UNSET


class NewUserFields(UserFields, kw_only=True):
    """A new user has a name."""

    name: Name


class PasswordDocument(Body, open=True):
    """A document that changes one's own password."""

    user: "PasswordFields"


class PasswordFields(msgspec.Struct):
    """The password as it is, and as it shall be."""

    password: str
    original_password: str


class Users:
    """Handlers that see passwords; they know how those are hashed and what they must be like."""

    def __init__(self, passwords: Passwords, rules: PasswordRules) -> None:
        self._passwords = passwords
        self._rules = rules

    async def create(self, call: Call, body: UserDocument) -> View:
        """``POST /v3/users``"""
        fields, extra = documents.read(NewUserFields, body.user)
        call.judge(target(user=body.user))
        await self._hash(fields)
        documents.aside(fields, extra, "description")
        fields["domain_id"] = documents.domain_meant(call, fields.get("domain_id"))
        fields["options"] = wording.with_options({}, fields.get("options", {}))

        def add(tx: Transaction) -> User:
            user = User(id=tx.ids.hex(), extra=extra, **fields)
            if user.password_hash is None:
                return users.create(tx, user)
            ends = password_rules.expiry(tx, self._rules, user, by_admin=True)
            made = users.create(tx, user.with_(password_expires_at=ends))
            password_rules.remember(tx, self._rules, made.id, user.password_hash)
            return made

        made = await call.write(add)
        return {"user": views.user(call, made)}

    async def update(self, call: Call, user_id: str, body: UserDocument) -> View:
        """``PATCH /v3/users/{user_id}``"""
        fields, extra = documents.read(UserFields, body.user)
        await call.read(lambda tx: _judged(tx, call, user_id))
        documents.require_same_id(body.user, user_id)
        await self._hash(fields)
        documents.aside(fields, extra, "description")

        def change(tx: Transaction) -> User:
            tx.after_commit(call.means.forget_tokens)
            if fields.get("password_hash") is not None:
                old = users.get(tx, user_id)
                with_options = old.with_(options=wording.with_options(old.options, fields.get("options", {})))
                ends = password_rules.expiry(tx, self._rules, with_options, by_admin=True)
                password_rules.remember(tx, self._rules, user_id, fields["password_hash"])
                return users.update(tx, user_id, {**fields, "password_expires_at": ends}, extra)
            return users.update(tx, user_id, fields, extra)

        return {"user": views.user(call, await call.write(change))}

    async def change_password(self, call: Call, user_id: str, body: PasswordDocument) -> None:
        """``POST /v3/users/{user_id}/password``: whoever knows the old one may; no token is asked for."""
        found = await call.read(lambda tx: self._not_locked(tx, user_id))
        old_hash = None if found is None else found.password_hash
        if not await self._passwords.verify(user_id, old_hash, body.user.original_password):
            if found is not None and self._rules.lockout_attempts:
                await call.write(lambda tx: password_rules.note_failure(tx, self._rules, found))
            raise wording.refused("the original password is another one")
        assert found is not None
        assert old_hash is not None
        if found.options.get("lock_password"):
            raise Invalid(
                "You cannot change your password at this time due to password policy disallowing password changes. "
                "Please contact your administrator to reset your password."
            )
        await call.read(lambda tx: password_rules.check_age(tx, self._rules, found))
        password_rules.check_strength(self._rules, body.user.password)
        for former in await call.read(lambda tx: password_rules.former(tx, self._rules, user_id)):
            if await self._passwords.verify(user_id, former, body.user.password):
                raise password_rules.repeated(self._rules)
        new_hash = await self._passwords.hash(body.user.password)

        def change(tx: Transaction) -> None:
            tx.after_commit(call.means.forget_tokens)
            ends = password_rules.expiry(tx, self._rules, found, by_admin=False)
            users.change_password(tx, user_id, old_hash=old_hash, new_hash=new_hash, expires_at=ends)
            password_rules.remember(tx, self._rules, user_id, new_hash)

        await call.write(change)

    def _not_locked(self, tx: Transaction, user_id: str) -> User | None:
        found = users.find(tx, user_id)
        if found is not None:
            password_rules.check_locked(tx, self._rules, found)
        return found

    async def _hash(self, fields: dict[str, Any]) -> None:
        if "password" in fields:
            password = fields.pop("password")
            if password is not None:
                password_rules.check_strength(self._rules, password)
            fields["password_hash"] = None if password is None else await self._passwords.hash(password)


def _judged(tx: Transaction, call: Call, user_id: str) -> User:
    """The user, if whoever asks may. Raises Forbidden before NotFound, so that nobody learns who there is."""
    found = users.find(tx, user_id)
    call.judge({"user_id": user_id, **target(user=found)})
    return users.get(tx, user_id) if found is None else found


async def index(call: Call) -> View:
    """``GET /v3/users``"""
    call.judge({"target.domain_id": call.context.domain_id})
    return await lists.show(call, users.page, views.user, *lists.own_domain(call))


async def show(call: Call, user_id: str) -> View:
    """``GET /v3/users/{user_id}``"""
    found = await call.read(lambda tx: _judged(tx, call, user_id))
    return {"user": views.user(call, found)}


async def delete(call: Call, user_id: str) -> None:
    """``DELETE /v3/users/{user_id}``"""

    def remove(tx: Transaction) -> None:
        _judged(tx, call, user_id)
        users.delete(tx, user_id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(remove)


async def list_projects(call: Call, user_id: str) -> View:
    """``GET /v3/users/{user_id}/projects``"""

    def read(tx: Transaction) -> list[Project]:
        _judged(tx, call, user_id)
        return assignments.projects_of(tx, user_id)

    wanted = {name: call.parameter(name) for name in ("domain_id", "name")}
    found = [
        project
        for project in await call.read(read)
        if all(value is None or getattr(project, name) == value for name, value in wanted.items())
    ]
    return views.collection(call, "projects", (views.project(call, project) for project in found))


async def list_groups(call: Call, user_id: str) -> View:
    """``GET /v3/users/{user_id}/groups``"""

    def read(tx: Transaction) -> list[groups.Group]:
        _judged(tx, call, user_id)
        return groups.of_user(tx, user_id)

    own, name = call.context.domain_id, call.parameter("name")
    found = [
        group
        for group in await call.read(read)
        if (own is None or group.domain_id == own) and (name is None or group.name == name)
    ]
    return views.collection(call, "groups", (views.group(call, group) for group in found))


async def revoke_tokens(call: Call, user_id: str) -> None:
    """``DELETE /v3/users/{user_id}/tokens``"""

    def remove(tx: Transaction) -> None:
        _judged(tx, call, user_id)
        users.forget_tokens(tx, user_id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(remove)


def routes(passwords: Passwords, rules: PasswordRules) -> list[Route]:
    """The lines of this file."""
    made = Users(passwords, rules)
    return scoped(
        OF_ALL,
        [
            Get("/users", index, policy="identity:list_users", allow=DOMAIN_READER_LISTING, late=True, listing=USERS),
            Post("/users", made.create, policy="identity:create_user", allow=MANAGE, late=True, status=201),
            Get("/users/{user_id}", show, policy="identity:get_user", allow=SHOW, late=True),
            Patch("/users/{user_id}", made.update, policy="identity:update_user", allow=MANAGE, late=True),
            Delete("/users/{user_id}", delete, policy="identity:delete_user", allow=MANAGE, late=True),
            Post("/users/{user_id}/password", made.change_password, policy=None, open=True, status=204),
            Get(
                "/users/{user_id}/projects",
                list_projects,
                policy="identity:list_user_projects",
                allow=PROJECTS,
                late=True,
            ),
            Get(
                "/users/{user_id}/groups", list_groups, policy="identity:list_groups_for_user", allow=GROUPS, late=True
            ),
            Delete(
                "/users/{user_id}/tokens", revoke_tokens, policy="identity:revoke_tokens_for_user", allow=OWN, late=True
            ),
        ],
    )
