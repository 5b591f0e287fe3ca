"""/rbac-policies: what projects share with others, and how."""

from collections.abc import Sequence
from typing import Any

from minicloud.api.network import guard, values
from minicloud.api.network.attributes import OWNED, REQUIRED, Attribute, Resource
from minicloud.api.network.kinds import Kind, five
from minicloud.base.errors import Invalid
from minicloud.base.ids import is_uuid
from minicloud.core.context import Context
from minicloud.core.network import rbac, rbac_policies
from minicloud.core.network.rbac import RbacPolicy
from minicloud.core.records import Transaction


def _type(value: Any) -> str:
    name = value.strip().lower() if isinstance(value, str) else ""
    if name not in rbac.KINDS:
        raise Invalid(f"Invalid input for operation: '{value}' is not a valid RBAC object type.", kind="InvalidInput")
    return name


def _target(value: Any) -> str:
    if value != rbac.EVERYBODY and not (isinstance(value, str) and is_uuid(value)):
        raise Invalid(
            f"Invalid input for operation: '{value}' is not a valid target project ID; expected a UUID or '*'.",
            kind="InvalidInput",
        )
    found: str = value
    return found


POLICY = Resource(
    "rbac_policy",
    "rbac_policies",
    [
        Attribute("object_type", _type, REQUIRED, change=False, filter="text"),
        Attribute("object_id", values.uuid, REQUIRED, change=False, filter="text"),
        Attribute("target_tenant", _target, ruled=True, column="target_project", filter="text"),
        Attribute("target_project", _target, ruled=True, filter="text"),
        Attribute("action", values.text(255), REQUIRED, change=False, filter="text"),
    ],
    has=OWNED,
)


def _view(tx: Transaction, context: Context, found: Sequence[RbacPolicy]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "tenant_id": one.project_id,
            "project_id": one.project_id,
            "object_type": one.object_type,
            "object_id": one.object_id,
            "target_tenant": one.target_project,
            "action": one.action,
        }
        for one in found
    ]


class _Core:
    """What core offers, told when a new entry names nobody."""

    get = staticmethod(rbac_policies.get)
    page = staticmethod(rbac_policies.page)
    change = staticmethod(rbac_policies.change)
    delete = staticmethod(rbac_policies.delete)

    @staticmethod
    def create(tx: Transaction, context: Context, **given: Any) -> RbacPolicy:
        """A new entry. Raises Invalid without a target."""
        if "target_project" not in given:
            raise Invalid(
                "Failed to parse request. Required attribute 'target_tenant' not specified", kind="HTTPBadRequest"
            )
        return rbac_policies.create(tx, context, **given)


_WILDCARD = {
    "target_tenant": f"{guard.ADMIN} or (not field:rbac_policy:target_tenant=* and "
    "not field:rbac_policy:target_project=*)",
    "target_project": f"{guard.ADMIN} or not field:rbac_policy:target_project=*",
}
_TARGETS = dict.fromkeys(("create", "update"), _WILDCARD)

routes = five(
    Kind(
        resource=POLICY,
        path="/rbac-policies",
        core=_Core,
        view=_view,
        read=guard.ADMIN_OR_READER,
        write=guard.ADMIN_OR_MEMBER,
        ruled=_TARGETS,
    )
)
