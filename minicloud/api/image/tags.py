"""Tags of an image over HTTP, one at a time."""

from minicloud.api.call import Call
from minicloud.api.image.rules import RULES, permit
from minicloud.api.image.schemas import check_attribute
from minicloud.api.routes import Delete, Put
from minicloud.core.image import images
from minicloud.core.records import Transaction


async def update(call: Call, image_id: str, tag: str) -> None:
    """PUT /v2/images/{id}/tags/{tag}."""
    check_attribute("tags", [tag])

    def work(tx: Transaction) -> None:
        image = images.get(tx, call.context, image_id)
        permit(call, "modify_image", image)
        images.add_tag(tx, image, tag)

    await call.write(work)


async def delete(call: Call, image_id: str, tag: str) -> None:
    """DELETE /v2/images/{id}/tags/{tag}."""

    def work(tx: Transaction) -> None:
        image = images.get(tx, call.context, image_id)
        permit(call, "modify_image", image)
        images.remove_tag(tx, image, tag)

    await call.write(work)


_RULE = RULES["modify_image"]

routes = [
    Put("/images/{image_id}/tags/{tag}", update, policy="modify_image", allow=_RULE, late=True, status=204),
    Delete("/images/{image_id}/tags/{tag}", delete, policy="modify_image", allow=_RULE, late=True),
]
