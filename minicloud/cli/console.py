"""``minicloud console``: what a server's guest has written on its serial console."""

import time
from typing import Annotated

import typer

from minicloud.cli.folder import CONTROL
from minicloud.cli.options import Data, folder_of

LOOK_EVERY_S = 0.5


def console(
    server: Annotated[str, typer.Argument(help="The server's name or id.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    size: Annotated[int, typer.Option("--bytes", help="How many of the last bytes.")] = 65_536,
    wait: Annotated[float, typer.Option(help="Seconds to wait for an answer of a cloud with much to do.")] = 120.0,
    data: Data = None,
) -> None:
    """Show a server's console, as `openstack console log show` does, for any project.

    Example: minicloud console web --follow
    """
    from minicloud.cli import control

    folder = folder_of(data)
    folder.need_running()
    shown = ""
    while True:
        text: str = control.ask(folder.file(CONTROL), "console", server=server, tail_bytes=size, timeout_s=wait)
        print(_new(shown, text), end="" if follow or text.endswith("\n") else "\n", flush=True)
        if not follow:
            return
        shown = text
        time.sleep(LOOK_EVERY_S)


def _new(shown: str, text: str) -> str:
    """What came since: where the window has moved on, what follows its old end."""
    if text.startswith(shown):
        return text[len(shown) :]
    end = shown[-200:]
    at = text.rfind(end)
    return text[at + len(end) :] if end and at >= 0 else text
