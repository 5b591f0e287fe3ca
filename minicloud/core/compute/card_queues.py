"""How many queues servers' network cards have: one, or one for each processor where ``vif_multiqueue_enabled`` says so."""

from collections.abc import Iterable

import msgspec

from minicloud.core.compute import hardware
from minicloud.core.compute.servers import ServerFlavor, ServerImage
from minicloud.engines.database import Transaction

MOST = 256
"""What a tap of the kernel has at most."""


def of_servers(tx: Transaction, server_ids: Iterable[str]) -> dict[str, int]:
    """The queues of those servers whose cards have several, in one query that passes all others over."""
    rows = tx.all(
        "SELECT id, flavor, image_properties FROM servers WHERE id IN (SELECT value FROM json_each(?)) AND vcpus > 1 "
        "AND (flavor LIKE '%vif_multiqueue_enabled%' OR image_properties LIKE '%vif_multiqueue_enabled%')",
        [msgspec.json.encode(sorted(server_ids)).decode()],
    )
    found = {
        server_id: of(msgspec.json.decode(flavor, type=ServerFlavor), msgspec.json.decode(image, type=ServerImage))
        for server_id, flavor, image in rows
    }
    return {server_id: queues for server_id, queues in found.items() if queues > 1}


def of(flavor: ServerFlavor, image: ServerImage) -> int:
    """The queues of each card. Only virtio's cards can have more than one. Pure."""
    said = flavor.extra_specs.get("hw:vif_multiqueue_enabled"), image.properties.get("hw_vif_multiqueue_enabled")
    virtio = image.properties.get("hw_vif_model", "virtio").lower() == "virtio"
    return min(flavor.vcpus, MOST) if virtio and any(map(hardware.is_true, said)) else 1
