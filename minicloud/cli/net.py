"""``minicloud net``: why a packet would or would not arrive, and a way to floating addresses."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from minicloud.cli import show
from minicloud.cli.options import Data, Json, folder_of

if TYPE_CHECKING:
    from minicloud.operations.ways import Way

app = typer.Typer(no_args_is_help=True, help="Look into the networks of a cloud.")

_MARKS = {True: "yes", False: "NO", None: "?"}


@app.callback()
def net() -> None:
    """Look into the networks of a cloud."""


@app.command("trace")
def trace(
    port: Annotated[str, typer.Argument(help="Where it is sent: a port or a server, by id, name or address.")],
    destination: Annotated[
        str, typer.Argument(metavar="DEST", help="Where it shall go: an address, a port or a server.")
    ],
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="icmp (a ping), tcp or udp.")] = "",
    number: Annotated[int | None, typer.Option("--port", help="The TCP or UDP port that it is for.")] = None,
    source: Annotated[str, typer.Option("--from", help="The address it is sent from; default: the port's own.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Tell why a packet would or would not arrive: DHCP, anti-spoofing, security groups, routes, translation.

    It asks about the first packet of a conversation; answers come back by themselves unless a security group is stateless.
    Exit code 1 when it would not arrive.

    Example: minicloud net trace web 10.0.1.7 --port 22

    Example: minicloud net trace web db --protocol udp --port 53
    """
    from minicloud.cli.reading import read
    from minicloud.operations.ways import Way

    kind = protocol or ("icmp" if number is None else "tcp")
    found: Way = read(
        folder_of(data), "way", Way, port=port, destination=destination, protocol=kind, number=number, source=source
    )
    if json:
        show.as_json(found)
    else:
        show.lines(written(found))
    if found.arrives is False:
        raise typer.Exit(1)


@app.command("connect")
def connect(
    address: Annotated[str, typer.Argument(help="The address, such as a floating one.")],
    port: Annotated[int, typer.Argument(help="The TCP port.")],
    data: Data = None,
) -> None:
    """Join stdin and stdout to a TCP port of an address outside of guests' own networks, such as a floating address.

    It is meant as the proxy command of ssh and its like where the cloud runs without root, and this machine itself has no
    route to floating addresses. As root it connects directly.

    Example: ssh -o ProxyCommand='minicloud net connect %h %p' root@172.24.4.10
    """
    from minicloud.operations.doors import to_address

    folder = folder_of(data)
    folder.need_running()
    argv = to_address(folder.path, address, port)
    os.execv(argv[0], argv)


def written(found: "Way") -> list[str]:
    """The answer first, then each place on the way."""
    packet = found.packet
    asked = packet.protocol if packet.port is None else f"{packet.protocol} {packet.port}"
    ends = {True: "arrives", False: "does not arrive", None: "leaves what the cloud knows of"}[found.arrives]
    lines = [f"{asked} from {packet.source} to {packet.destination} {ends}: {found.steps[-1].why}", ""]
    width = max(len(step.at) for step in found.steps)
    return lines + [f"  {_MARKS[step.passes]:<3}  {step.at:<{width}}  {step.why}" for step in found.steps]
