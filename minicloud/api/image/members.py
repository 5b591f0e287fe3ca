"""Members of an image over HTTP: whom it is shared with, and the answer of those it is shared with."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.image.images import document
from minicloud.api.image.rules import RULES, permit
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Forbidden, Invalid, NotFound
from minicloud.core.image import images, members
from minicloud.core.image.images import Image
from minicloud.core.image.members import Member
from minicloud.core.records import Transaction


def view(member: Member) -> dict[str, Any]:
    """A member as clients see it."""
    return {
        "member_id": member.member_id,
        "image_id": member.image_id,
        "status": member.status,
        "created_at": f"{member.created_at[:19]}Z",
        "updated_at": f"{member.updated_at[:19]}Z",
        "schema": "/v2/schemas/member",
    }


def _judged(call: Call, tx: Transaction, image_id: str, rule: str) -> Image:
    """A shared image on whose members whoever asks may do this. Raises NotFound, Forbidden."""
    image = images.get(tx, call.context, image_id)
    project = call.context.project_id
    permit(call, rule, image, member=project is not None and images.shared_with(tx, image.id, project))
    members.require_shared(image)
    return image


async def index(call: Call, image_id: str) -> Any:
    """GET /v2/images/{id}/members."""

    def work(tx: Transaction) -> list[Member]:
        try:
            image = _judged(call, tx, image_id, "get_members")
        except Forbidden as error:
            raise Forbidden(f"Not allowed to list members for image {image_id}: {error.message}") from error
        return members.of_image(tx, call.context, image)

    found = await call.read(work)
    return {"members": [view(member) for member in found], "schema": "/v2/schemas/members"}


async def create(call: Call, image_id: str, body: bytes) -> Any:
    """POST /v2/images/{id}/members."""
    given = document(body)
    if "member" not in given:
        raise Invalid("Member to be added not specified")
    project = given["member"]
    if not project:
        raise Invalid("Member can't be empty")
    if not isinstance(project, str) or len(project) > 255:
        raise Invalid('Expected a member in the form: {"member": "image_id"}')

    def work(tx: Transaction) -> Member:
        try:
            image = _judged(call, tx, image_id, "add_member")
        except Forbidden as error:
            raise Forbidden(f"Not allowed to create members for image {image_id}.") from error
        return members.add(tx, image, project)

    return view(await call.write(work))


async def show(call: Call, image_id: str, member_id: str) -> Any:
    """GET /v2/images/{id}/members/{member}. What may not be seen is not there."""

    def work(tx: Transaction) -> Member:
        try:
            image = _judged(call, tx, image_id, "get_member")
        except Forbidden as error:
            raise NotFound(error.message) from error
        return members.get(tx, call.context, image, member_id)

    return view(await call.read(work))


async def update(call: Call, image_id: str, member_id: str, body: bytes) -> Any:
    """PUT /v2/images/{id}/members/{member}: the project itself answers."""
    given = document(body)
    if "status" not in given:
        raise Invalid("Status not specified")

    def work(tx: Transaction) -> Member:
        try:
            image = _judged(call, tx, image_id, "modify_member")
        except Forbidden as error:
            raise Forbidden(f"Not allowed to update members for image {image_id}.") from error
        return members.answer(tx, members.get(tx, call.context, image, member_id), given["status"])

    return view(await call.write(work))


async def delete(call: Call, image_id: str, member_id: str) -> None:
    """DELETE /v2/images/{id}/members/{member}."""

    def work(tx: Transaction) -> None:
        try:
            image = _judged(call, tx, image_id, "delete_member")
        except Forbidden as error:
            raise Forbidden(f"Not allowed to delete members for image {image_id}.") from error
        members.remove(tx, members.get(tx, call.context, image, member_id))

    await call.write(work)


_ALL, _ONE = "/images/{image_id}/members", "/images/{image_id}/members/{member_id}"

routes = [
    Get(_ALL, index, policy="get_members", allow=RULES["get_members"], late=True),
    Post(_ALL, create, policy="add_member", allow=RULES["add_member"], late=True),
    Get(_ONE, show, policy="get_member", allow=RULES["get_member"], late=True),
    Put(_ONE, update, policy="modify_member", allow=RULES["modify_member"], late=True),
    Delete(_ONE, delete, policy="delete_member", allow=RULES["delete_member"], late=True),
]
