"""The policies of the Image API by upstream's names and defaults, and how an image is judged by them."""

from collections.abc import Callable, Mapping

from minicloud.api.call import Call
from minicloud.base.errors import Forbidden, NotFound
from minicloud.core.image.images import Image
from minicloud.core.image.protections import Operation
from minicloud.core.policy import ADMIN, PROJECT_MEMBER, PROJECT_READER

_MEMBER = "project_id:%(member_id)s"
_REACHABLE = (
    f"(project_id:%(project_id)s or {_MEMBER} or 'community':%(visibility)s or 'public':%(visibility)s "
    "or 'shared':%(visibility)s)"
)
_OWN_READ = f"{ADMIN} or ({PROJECT_READER})"
_OWN_WRITE = f"{ADMIN} or ({PROJECT_MEMBER})"
_SERVICE = f"role:service or {ADMIN}"
_MEMBERSHIP = f"{ADMIN} or role:reader and (project_id:%(project_id)s or {_MEMBER})"

RULES: Mapping[str, str] = {
    "add_image": f"{ADMIN} or ({PROJECT_MEMBER} and project_id:%(owner)s)",
    "get_image": f"{ADMIN} or (role:reader and {_REACHABLE})",
    "get_images": _OWN_READ,
    "modify_image": _OWN_WRITE,
    "delete_image": _OWN_WRITE,
    "publicize_image": ADMIN,
    "communitize_image": _OWN_WRITE,
    "upload_image": _OWN_WRITE,
    "download_image": f"{ADMIN} or (role:member and {_REACHABLE})",
    "deactivate": _OWN_WRITE,
    "reactivate": _OWN_WRITE,
    "add_member": _OWN_WRITE,
    "delete_member": _OWN_WRITE,
    "get_member": _MEMBERSHIP,
    "get_members": _MEMBERSHIP,
    "copy_image": ADMIN,
    "download_from_store": f"{ADMIN} or (role:member and {_REACHABLE})",
    "delete_image_location": ADMIN,
    "add_image_location": f"{_SERVICE} or ({PROJECT_MEMBER} and project_id:%(owner)s)",
    "fetch_image_location": _SERVICE,
    "modify_member": f"{ADMIN} or (role:member and {_MEMBER})",
}
"""Default check by policy."""


def extra(*names: str) -> list[tuple[str, str]]:
    """Further policies for a route line."""
    return [(name, RULES[name]) for name in names]


def permit(call: Call, rule: str, image: Image, *, member: bool = False) -> None:
    """Whether the policy lets whoever asks do this to the image. ``member``: it is shared with the project in scope.

    Raises Forbidden; NotFound instead, where whoever asks may not even look at the image.
    """
    target = {
        "project_id": image.owner,
        "owner": image.owner,
        "visibility": image.visibility,
        "member_id": call.context.project_id if member else None,
    }
    try:
        call.judge(target, rule=rule)
    except Forbidden as error:
        if rule == "get_image" or not call.allows("get_image", target):
            raise NotFound(Image.missing(image.id).message) from error
        raise Forbidden(f"You are not authorized to complete {rule} action.", rule=rule) from error


def permitting(call: Call) -> Callable[[str, Image], None]:
    """``permit`` for functions of ``core`` that do not know of calls."""
    return lambda rule, image: permit(call, rule, image)


def may(call: Call) -> Callable[[Operation, str], bool]:
    """Whether the property protections let whoever asks do something to a property."""
    return call.world.image.protections.judge(call.context.roles, call.allows)


def permit_new(call: Call, owner: str | None, visibility: str) -> None:
    """Whether an image for this owner may be made as visible as that. Raises Forbidden."""
    target = {"project_id": owner, "owner": owner, "visibility": visibility}
    try:
        call.judge(target)
    except Forbidden as error:
        if owner != call.context.project_id:
            message = f"You are not permitted to create images owned by '{owner}'"
        else:
            message = "You are not authorized to complete add_image action."
        raise Forbidden(message, rule="add_image") from error
    further = {"public": "publicize_image", "community": "communitize_image"}.get(visibility)
    if further is not None and not call.allows(further, target):
        raise Forbidden(f"You are not authorized to complete {further} action.", rule=further)
