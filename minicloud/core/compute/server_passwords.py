"""Passwords that guests make for themselves and tell the metadata service, or that their agents set: encrypted with their owner's key."""

import base64

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.compute import keys, servers
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.engines.database import Transaction

LONGEST = 1020
"""Bytes, as Nova keeps them: four pieces of 255."""


def get(tx: Transaction, context: Context, server_id: str) -> str:
    """What the guest has told, or an empty text. Raises NotFound."""
    return servers.get(tx, context, server_id).guest_password or ""


def clear(tx: Transaction, context: Context, server_id: str) -> None:
    """Forget it, so that the guest may tell another one; the guest itself is not changed. Raises NotFound."""
    records.change(tx, servers.get(tx, context, server_id), guest_password=None)


def keep(tx: Transaction, server: Server, password: str) -> None:
    """A password was set in the guest: who has the key that the server was made with may read it, where that is an RSA key."""
    key = server.public_key or ""
    if not key.startswith("ssh-rsa"):
        return
    try:
        sealed = base64.b64encode(keys.encrypted(key, password)).decode()
    except Invalid as error:
        # It is set all the same; Nova would leave the server in error for that.
        trace.note("password_not_kept", server=server.id, why=error.message)
        return
    records.change(tx, server, guest_password=sealed[:LONGEST])


def tell(tx: Transaction, server: Server, told: bytes) -> None:
    """The guest tells its password. Raises Conflict (it did before), Invalid (too long, or no text)."""
    if server.guest_password:
        raise Conflict("There is a password already")
    if len(told) > LONGEST:
        raise Invalid("Request is too large.")
    try:
        text = told.decode()
    except UnicodeDecodeError as error:
        raise Invalid("The password is no text") from error
    records.change(tx, server, guest_password=text)
    trace.note("password_told", server=server.id)
