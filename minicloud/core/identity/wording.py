"""What identity says when it refuses, in upstream's words, where several resources say the same."""

from typing import Any

from minicloud.base.errors import Conflict, Forbidden, Invalid, Unauthenticated

IMMUTABLE = "immutable"


def taken(kind: str, name: str, domain_id: str | None = None) -> Conflict:
    """The name is somebody else's already."""
    where = f" at domain ID {domain_id}" if domain_id else ""
    return Conflict(
        f"Conflict occurred attempting to store {kind} - Duplicate entry found with name {name}{where}.",
        kind="duplicate",
    )


def expecting(attribute: str, target: str) -> Invalid:
    """Something is missing in a document."""
    return Invalid(
        f"Expecting to find {attribute} in {target}. The server could not comply with the request since it is either "
        "malformed or otherwise incorrect. The client is assumed to be in error."
    )


def refused(reason: str) -> Unauthenticated:
    """Nobody is let in. The reason is for the trace alone: the client learns nothing from it."""
    return Unauthenticated("The request you have made requires authentication.", reason=reason)


def unsupported_method(method: str) -> Unauthenticated:
    """A way of signing in that this cloud does not have."""
    return Unauthenticated("Attempted to authenticate with an unsupported method.", method=method)


def keep_immutable_still(kind: str, id: str, options: dict[str, Any], changes: dict[str, Any]) -> None:
    """Raises Forbidden when something immutable would be changed; taking off the option alone is allowed."""
    if not options.get(IMMUTABLE):
        return
    asked = changes.get("options") or {}
    if len(changes) > 1 or IMMUTABLE not in asked or asked[IMMUTABLE] not in (False, None):
        raise Forbidden(
            f'Unable to update immutable {kind} resource: `{id}. Set resource option "immutable" to false first.'
        )


def keep_immutable_alive(kind: str, id: str, options: dict[str, Any]) -> None:
    """Raises Forbidden when something immutable would be deleted."""
    if options.get(IMMUTABLE):
        raise Forbidden(
            f'Unable to delete immutable {kind} resource: `{id}. Set resource option "immutable" to false first.'
        )


def with_options(old: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Resource options after a change: null takes one away."""
    return {name: value for name, value in {**old, **changes}.items() if value is not None}
