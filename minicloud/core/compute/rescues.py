"""Asking for a rescue: which image a server boots instead of its own disk, and what is refused.

Messages are Nova's (nova 34.0.0: compute/api.py).
"""

from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.compute import requests, servers
from minicloud.core.compute.servers import Server, ServerImage
from minicloud.core.context import Context
from minicloud.core.image import images
from minicloud.engines.database import Transaction


def ask(
    tx: Transaction,
    context: Context,
    server_id: str,
    image_ref: str | None,
    password: str,
    *,
    from_volume: bool = False,
) -> tuple[Server, Server, int, ServerImage]:
    """Take a server to be rescued: as it was, as it is now, the action's id, and the image that it shall boot.

    ``from_volume``: whether the caller knows that a server may boot from a volume; the image must then say its bus and device.

    Raises NotFound, Conflict, Invalid (no such image, or a server that has none of its own).
    """
    before = servers.get(tx, context, server_id)
    server, action_id = servers.take(tx, context, server_id, "rescue")
    rescue = server.image_properties
    if image_ref is not None:
        try:
            image = images.for_boot(tx, context, image_ref)
        except Invalid as error:
            raise Invalid(f"Requested rescue image '{image_ref}' is not supported") from error
        rescue = requests.image_source(tx, context, image)
    stable = "hw_rescue_bus" in rescue.properties and "hw_rescue_device" in rescue.properties
    if server.image_id is None and not (from_volume and stable):
        raise Invalid(f"Instance {server_id} cannot be rescued: Cannot rescue a volume-backed instance")
    return before, records.change(tx, server, admin_password=password), action_id, rescue
