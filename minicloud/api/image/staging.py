"""Staging over HTTP: an image's bytes are put down to wait for an import, which will look at them."""

from minicloud.api.call import Call
from minicloud.api.image.imports import DIRECT
from minicloud.api.image.incoming import counted, declared_size, put, require_octets, taken
from minicloud.api.image.rules import RULES, permit
from minicloud.api.routes import Put
from minicloud.base.errors import Gone, NotFound
from minicloud.core.image import images, quotas, uploads
from minicloud.core.image.images import Image
from minicloud.core.records import Transaction


async def stage(call: Call, image_id: str) -> None:
    """PUT /v2/images/{id}/stage. Unless all goes well, the image is queued again and nothing of the bytes is left."""
    if DIRECT not in call.world.image.import_methods:
        raise NotFound(f"'{DIRECT}' method is not available at this site.")
    require_octets(call)
    declared = declared_size(call)

    def take(tx: Transaction) -> Image:
        image = images.get(tx, call.context, image_id)
        permit(call, "modify_image", image)
        quotas.check(tx, call.context.project_id, quotas.STAGED, (declared or 0) // quotas.MiB)
        quotas.check(tx, call.context.project_id, quotas.UPLOADING, 1)
        return uploads.begin_staging(tx, image)

    image = await call.write(take)
    key = uploads.staged_key(image_id)
    try:
        async with taken(call, image, key) as upload_id:
            blob = await put(call, key, counted(call.stream(), declared))
            await call.write(lambda tx: uploads.finish_staging(tx, image_id, upload_id, blob.size))
    except Gone as error:
        raise NotFound(error.message) from error


routes = [
    Put(
        "/images/{image_id}/stage",
        stage,
        policy="modify_image",
        allow=RULES["modify_image"],
        late=True,
        stream=True,
        status=204,
    )
]
