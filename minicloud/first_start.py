"""What every cloud has from its first start on: the data folder, records, the guest image. Later starts add what is missing."""

import os
import secrets
from concurrent.futures import Future
from pathlib import Path

import anyio.to_thread
import msgspec

from minicloud import guest
from minicloud.api.identity.passwords import Passwords
from minicloud.base import trace
from minicloud.conductor.executor import Executor
from minicloud.conductor.image.import_image import guest_image
from minicloud.core import unified_limits
from minicloud.core.compute import flavors, hosts
from minicloud.core.identity import users
from minicloud.core.identity.bootstrap import ENDPOINTS, Bootstrap, bootstrap
from minicloud.core.identity.domains import DEFAULT
from minicloud.core.identity.users import User
from minicloud.core.image import metadef_resource_types, uploads
from minicloud.core.network import bootstrap as networks
from minicloud.core.volume import group_types, types
from minicloud.engines.database import Database, Transaction
from minicloud.settings import Settings, cache_folder

CONTROL_SERVICES = ("nova-conductor", "nova-scheduler")
CONTROL_HOST = "control"
GUEST = "minilinux"


def prepare_folder(settings: Settings) -> tuple[Settings, bool]:
    """Make the data folder, private; the settings with the admin's password, and whether it is another one than before.

    The password is the given one, or else the one of the first start, which is generated and kept beside the database.
    """
    Path(settings.data).mkdir(mode=0o700, parents=True, exist_ok=True)
    Path(settings.data).chmod(0o700)
    path = Path(settings.data) / "admin-password"
    before = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    password = settings.admin_password or before or secrets.token_urlsafe(12)
    if password != before:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(password + "\n")
    return msgspec.structs.replace(settings, admin_password=password), password != before


async def write_records(
    database: Database, settings: Settings, passwords: Passwords, hashing: "Future[str] | None", limited: list[str]
) -> list[str]:
    """Write what every cloud has; at later starts only what is missing, and the admin's password if another one was given.

    ``hashing`` comes to the hash of that password where one is known to be needed: hashing takes long by design, so a start
    that needs none makes none. ``limited`` are the services whose quotas are identity's limits. Returns keys of blobs that a
    crash left half uploaded.
    """
    known = await database.read(lambda tx: users.find_by_name(tx, DEFAULT, "admin"))
    if hashing is None and known is None:
        hashing = passwords.hash_beside(settings.admin_password)
    hashed = ""
    if hashing is not None:
        hashed = hashing.result() if hashing.done() else await anyio.to_thread.run_sync(hashing.result)

    def work(tx: Transaction) -> tuple[list[str], list[User]]:
        keys = _first_records(tx, settings, hashed, limited)
        found = [users.find_by_name(tx, DEFAULT, name) for name in ("admin", "demo")]
        return keys, [user for user in found if user is not None]

    keys, made = await database.write(work)
    for user in made:
        if user.password_hash == hashed:
            passwords.remember(user.id, hashed, settings.admin_password)
    return keys


def _first_records(tx: Transaction, settings: Settings, hashed: str, limited: list[str]) -> list[str]:
    wanted = Bootstrap(
        admin_password_hash=hashed, demo_password_hash=hashed, region=settings.region, endpoints=ENDPOINTS
    )
    known = users.find_by_name(tx, DEFAULT, "admin")
    made = bootstrap(tx, wanted)
    if known is not None and hashed:
        users.update(tx, known.id, {"password_hash": hashed}, {})
    unified_limits.switch(tx, limited)
    flavors.bootstrap(tx)
    metadef_resource_types.bootstrap(tx)
    types.ensure_default(tx)
    group_types.ensure_cgsnapshot_type(tx)
    networks.ensure_networks(tx, demo_project_id=made.projects["demo"], admin_project_id=made.projects["admin"])
    for binary in CONTROL_SERVICES:
        hosts.ensure_service(tx, CONTROL_HOST, binary, hosts.INTERNAL_ZONE)
    return uploads.recover(tx)


async def ensure_guest_image(executor: Executor, database: Database, settings: Settings, driver: str) -> None:
    """The image ``minilinux`` of a new cloud, out of the built files, if there are any; it fills in the background."""
    if settings.guest_image == "none":
        return
    built = None if driver == "fake" else guest.cached(cache_folder() / "guest")
    if built is None and driver != "fake":
        trace.note("no_guest_image", next_step="minicloud image build")
        return

    def work(tx: Transaction) -> None:
        saga = guest_image(
            tx,
            name=GUEST,
            source="" if built is None else str(built.disk),
            min_disk=0 if built is None else built.min_disk_gb,
            min_ram=0 if built is None else built.min_ram_mb,
            properties={} if built is None else built.properties,
        )
        if saga is not None:
            executor.begin(tx, saga)

    await database.write(work)
