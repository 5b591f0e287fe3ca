"""The program: every word of the command line with its file, and the one door at which errors become a line."""

from typing import Annotated

import typer

from minicloud import __version__
from minicloud.cli import (
    console,
    doctor,
    down,
    env,
    explain,
    image,
    inspect,
    net,
    policy,
    saga,
    schedule,
    show,
    ssh,
    status,
    up,
)

EPILOG = 'First steps: minicloud up --detach, then eval "$(minicloud env)", then openstack server list.'

app = typer.Typer(
    name="minicloud",
    help="A whole cloud in one process: it speaks the OpenStack APIs and starts real virtual machines.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.up)
app.command("down")(down.down)
app.command("status")(status.status)
app.command("env")(env.env)
app.command("doctor")(doctor.doctor)
app.command("explain")(explain.explain)
app.command("schedule")(schedule.schedule)
app.command("ssh", context_settings={"ignore_unknown_options": True})(ssh.ssh)
app.command("console")(console.console)
app.add_typer(inspect.app, name="inspect")
app.add_typer(net.app, name="net")
app.add_typer(image.app, name="image")
app.add_typer(saga.app, name="saga")
app.add_typer(policy.app, name="policy")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"minicloud {__version__}")
        raise typer.Exit()


@app.callback()
def minicloud(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """The root of the command line; all it does itself is to tell its version."""


def run() -> None:
    """Run one command; whatever goes wrong is one line, and exit code 1."""
    try:
        app()
    except SystemExit:
        raise
    except BaseException as error:
        show.failure(error)
        raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from error
