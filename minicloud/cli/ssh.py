"""``minicloud ssh``: log in to a server's guest by its address, wherever its network is."""

import os
import select
import shlex
import subprocess
import tempfile
import time
from typing import Annotated, Any

import typer

from minicloud.base.errors import TimedOut
from minicloud.base.tools import need
from minicloud.cli import show
from minicloud.cli.folder import CONTROL, Folder
from minicloud.cli.options import Data, folder_of

KNOWN_HOSTS = "known_hosts"
SSH_PORT = 22
GREETING_S, PAUSE_S = 10.0, 0.3
"""How long an SSH server may take to greet, and the pause before the next try."""


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
    wait: Annotated[float, typer.Option(help="Seconds to wait for a guest that is still booting.")] = 120.0,
    data: Data = None,
) -> None:
    """Log in to a server, once its guest answers.

    Example: minicloud ssh web

    Example: minicloud ssh web -i ~/.ssh/id_ed25519 -- uname -a
    """
    from minicloud.cli import control

    folder = folder_of(data)
    folder.need_running()
    program = need("ssh")
    way: dict[str, Any] = control.ask(folder.file(CONTROL), "reach", server=server, port=port)
    await_guest(way, port, wait)
    argv = arguments(folder, way, login, identity, option or [], command or [])
    os.execv(program, argv)


def await_guest(way: dict[str, Any], port: int, wait: float) -> None:
    """Return once an SSH server greets at the end of the way. Raises TimedOut with what was heard instead."""
    with show.progress(f"connecting to {way['name']}") as tell:
        give_up = time.monotonic() + wait
        while True:
            heard = greeting(way["argv"])
            if heard.startswith("SSH-"):
                return
            if time.monotonic() > give_up:
                where = f"{way['name']} does not answer at {way['address'] or 'its port'} port {port}"
                raise TimedOut(f"{where} ({heard or 'silence'}): look at `minicloud console {way['name']}`")
            tell(f"waiting for {way['name']} to boot")
            time.sleep(PAUSE_S)


def greeting(argv: list[str]) -> str:
    """The first line that comes along the way, or what its program complained of."""
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints) as process:
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], GREETING_S)
            line = os.read(process.stdout.fileno(), 256) if ready else b""
            process.kill()
        complaints.seek(0)
        # Of a greeting the first line counts, keys may follow it; of complaints the last, which says why.
        said = line.splitlines()[:1] or complaints.read(2000).splitlines()[-1:]
    return said[0].decode(errors="replace").strip() if said else ""


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
        f"HostKeyAlias={way['known_as']}",
    ]
    if identity is not None:
        argv += ["-i", identity, "-o", "IdentitiesOnly=yes"]
    for more in options:
        argv += ["-o", more]
    return [*argv, "-l", login, "--", way["address"] or way["name"], *command]


def _quoted(path: str) -> str:
    escaped = path.replace("%", "%%")
    return f'"{escaped}"' if " " in escaped else escaped
