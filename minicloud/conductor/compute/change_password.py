"""Set the password of the user inside a guest who may do everything there, by an agent in the guest."""

from minicloud.agent import calls
from minicloud.conductor.compute.taken import TakenServer, give_back, host_of, keep
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import server_passwords, servers
from minicloud.engines.database import Transaction


class ChangePassword(TakenServer):
    """A password that was set cannot be unset: nobody knows the old one."""

    password: str

    @classmethod
    def steps(cls) -> Steps["ChangePassword"]:
        return [
            Step("claim", record=keep, unrecord=give_back),
            Step("set", act=ensure_password, record=mark_set),
        ]


async def ensure_password(saga: ChangePassword, world: World) -> None:
    """The guest's agent has set it."""
    server = await world.database.read(lambda tx: servers.living(tx, saga.server_id))
    properties = server.image_properties.properties
    usual = "Administrator" if properties.get("os_type") == "windows" else "root"
    user = properties.get("os_admin_user") or usual
    message = calls.EnsurePassword(server_id=saga.server_id, user=user, password=saga.password)
    await world.agents.ask(await host_of(saga, world), message, timeout_s=30)


def mark_set(tx: Transaction, saga: ChangePassword, world: World) -> None:
    """The server is free again, and the password is nowhere but in the guest, and with the holder of its key."""
    server_passwords.keep(tx, servers.living(tx, saga.server_id), saga.password)
    saga.password = ""
    servers.settle(tx, saga.server_id, saga.action_id, saga.claimed)
