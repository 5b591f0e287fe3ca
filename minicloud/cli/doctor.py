"""``minicloud doctor``: what this machine has and lacks, with the remedies."""

import typer

from minicloud.cli import show
from minicloud.cli.options import Data, Json


def doctor(data: Data = None, json: Json = False) -> None:
    """Look at what this machine has and lacks for a cloud, and say how to mend it.

    Ends with code 1 when real guests cannot run here; simulated servers always can.
    """
    import anyio

    from minicloud import settings
    from minicloud.operations.checks import checks

    loaded = settings.load({"data": data}).settings
    with show.progress("looking at this machine"):
        found = anyio.run(checks, loaded)
    if json:
        show.as_json(found)
    else:
        rows = [(check.name, check.state, check.found, check.fix) for check in found]
        show.table(["what", "state", "found", "next step"], rows, nothing="nothing was looked at")
    if any(check.state == "missing" for check in found):
        raise typer.Exit(1)
