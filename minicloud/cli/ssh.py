"""``minicloud ssh``: log in to a server's guest by its address, wherever its network is."""

import os
import shlex
from typing import Annotated, Any

import typer

from minicloud.base.tools import need
from minicloud.cli.folder import CONTROL, Folder
from minicloud.cli.options import Data, folder_of

KNOWN_HOSTS = "known_hosts"
SSH_PORT = 22


def ssh(
    server: Annotated[str, typer.Argument(help="The server's name or id.")],
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help="What to run there.")] = None,
    identity: Annotated[
        str | None, typer.Option("--identity", "-i", metavar="KEY", help="File of the private key.")
    ] = None,
    login: Annotated[str, typer.Option("--login", "-l", metavar="USER", help="User to log in as.")] = "root",
    port: Annotated[int, typer.Option("--port", "-p", help="Port of the guest's SSH server.")] = SSH_PORT,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", metavar="NAME=VALUE", help="Further options of ssh.")
    ] = None,
    data: Data = None,
) -> None:
    """Log in to a server.

    Example: minicloud ssh web

    Example: minicloud ssh web -i ~/.ssh/id_ed25519 -- uname -a
    """
    from minicloud.cli import control

    folder = folder_of(data)
    folder.need_running()
    program = need("ssh")
    way = control.ask(folder.file(CONTROL), "reach", server=server, port=port)
    argv = arguments(folder, way, login, identity, option or [], command or [])
    os.execv(program, argv)


def arguments(
    folder: Folder, way: dict[str, Any], login: str, identity: str | None, options: list[str], command: list[str]
) -> list[str]:
    """The command line of ssh: its proxy is the way to the guest, its host key is kept under the server's id."""
    known = str(folder.file(KNOWN_HOSTS))
    argv = [
        "ssh",
        "-o",
        # ssh hands this to a shell itself and expands percent signs: both are quoted away.
        f"ProxyCommand={shlex.join(way['argv']).replace('%', '%%')}",
        "-o",
        f"UserKnownHostsFile={_quoted(known)}",
        "-o",
        "StrictHostKeyChecking=accept-new",
        "-o",
        f"HostKeyAlias={way['server_id']}",
    ]
    if identity is not None:
        argv += ["-i", identity, "-o", "IdentitiesOnly=yes"]
    for more in options:
        argv += ["-o", more]
    return [*argv, "-l", login, "--", way["address"] or way["name"], *command]


def _quoted(path: str) -> str:
    escaped = path.replace("%", "%%")
    return f'"{escaped}"' if " " in escaped else escaped
