"""``minicloud env``: how a shell and its clients come to speak to this cloud."""

import shlex
import shutil
from typing import Annotated

import typer

from minicloud.cli import credentials
from minicloud.cli.options import Data, folder_of
from minicloud.cli.welcome import commands


def env(
    data: Data = None,
    user: Annotated[str, typer.Option(help="Who to be: admin, demo, or system (admin of the whole system).")] = "admin",
    project: Annotated[str | None, typer.Option(help="The project to work in; implies --variables.")] = None,
    variables: Annotated[
        bool, typer.Option("--variables", help="Plain OS_USERNAME, OS_PASSWORD and so on instead of OS_CLOUD.")
    ] = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Put this cloud into your own clouds.yaml as well; its other clouds stay.")
    ] = False,
) -> None:
    """Print the lines by which a shell speaks to this cloud.

    Example: eval "$(minicloud env)" && openstack server list

    Example: eval "$(minicloud env --user demo)"

    Example: minicloud env --merge && openstack --os-cloud minicloud server list
    """
    folder = folder_of(data)
    if merge:
        from minicloud import settings

        target = credentials.users_own(settings.inherited())
        names, backup = credentials.merge(folder, target)
        typer.echo(f"{target} now has {', '.join(names)}" + (f"; what it was is in {backup}" if backup else ""))
        return
    wanted = (
        credentials.variables(folder, user, project)
        if variables or project is not None
        else credentials.pointer(folder, user)
    )
    for line in credentials.export_lines(wanted):
        print(line)
    if shutil.which("minicloud") is None:
        print(f'export PATH={shlex.quote(str(commands()))}:"$PATH"')
