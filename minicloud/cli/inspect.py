"""``minicloud inspect``: what this cloud is made of, as tables or JSON; most of it without a cloud that runs."""

from typing import Annotated, Any

import typer

from minicloud.cli import show
from minicloud.cli.options import Data, Json, folder_of

app = typer.Typer(
    help="What the cloud is made of: routes, policies, sagas, settings, hosts, reconcilers.", no_args_is_help=True
)

Of = Annotated[str | None, typer.Argument(metavar="[SERVICE]", help="Only of this service, such as compute.")]


@app.command("routes")
def routes(service: Of = None, json: Json = False) -> None:
    """List every route: method, path, action, policy, statuses, versions."""
    from minicloud.operations import parts

    found = [route for route in parts.routes() if service in (None, route.service)]
    if json:
        show.as_json(found)
        return
    rows = [(one.service, one.method, one.path, one.action, one.policy, one.status, one.versions) for one in found]
    show.table(["service", "method", "path", "action", "policy", "status", "versions"], rows, nothing="no such service")


@app.command("policies")
def policies(json: Json = False) -> None:
    """List every policy with its rule."""
    from minicloud.operations import parts

    found = parts.policies()
    if json:
        show.as_json(found)
        return
    show.table(["policy", "rule"], [(one.name, one.check) for one in found], nothing="there are no policies")


@app.command("sagas")
def sagas(json: Json = False) -> None:
    """List every kind of saga with its steps; `minicloud saga list` shows those under way."""
    from minicloud.operations import parts

    found = parts.sagas()
    if json:
        show.as_json(found)
        return
    rows = [(one.kind, " > ".join(one.steps), one.purpose) for one in found]
    show.table(["saga", "steps", "purpose"], rows, nothing="there are no sagas")


@app.command("settings")
def settings(
    data: Data = None,
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The table of docs/settings.md.")] = False,
) -> None:
    """List every setting: its value here, where that came from, and what it is."""
    from minicloud import settings as all_settings
    from minicloud.cli.described import described, settings_page

    if markdown:
        print(settings_page(), end="")
        return
    found = all_settings.load({"data": data})
    rows: list[dict[str, Any]] = []
    for one in described():
        value = getattr(found.settings, one.name)
        if one.name == "admin_password" and value:
            value = "(given)"
        rows.append(
            {
                "name": one.name,
                "value": value,
                "source": found.sources[one.name],
                "variable": one.variable,
                "description": one.sentence,
            }
        )
    if json:
        show.as_json(rows)
        return
    columns = ["name", "value", "source", "description"]
    show.table(columns, [[row[name] for name in columns] for row in rows], nothing="there are no settings")


@app.command("commands")
def commands(
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The sections of docs/commands.md.")] = False,
) -> None:
    """List every command."""
    from minicloud.cli import commands_page

    if markdown:
        print(commands_page.commands_page(), end="")
        return
    found = commands_page.commands()
    if json:
        show.as_json(found)
        return
    show.table(["command", "what it does"], [(one.words, one.help.split("\n")[0]) for one in found], nothing="")


@app.command("hosts")
def hosts(data: Data = None, json: Json = False) -> None:
    """List the compute hosts of a cloud; whether they are up only while it runs."""
    from minicloud.cli.status import gather

    facts = gather(folder_of(data))
    found = facts.get("hosts", [])
    if json:
        show.as_json(found)
        return
    rows = [
        (
            host["host"],
            {True: "up", False: "down"}.get(host.get("up"), "unknown"),
            "enabled" if host["enabled"] else f"disabled: {host['reason'] or 'no reason given'}",
            host["zone"],
            f"{host.get('hypervisor', '')} {host.get('accelerator', '')}".strip(),
            host.get("fabric"),
            host.get("vcpus"),
            host.get("memory_mb"),
            host.get("disk_gb"),
        )
        for host in found
    ]
    columns = ["host", "state", "status", "zone", "runs", "network", "vcpus", "memory MiB", "disk GiB"]
    show.table(columns, rows, nothing="no host is known: has this cloud been up?")


@app.command("reconcilers")
def reconcilers(data: Data = None, json: Json = False) -> None:
    """List the repairs of a running cloud, and what each did last."""
    from minicloud.cli import control
    from minicloud.cli.folder import CONTROL

    folder = folder_of(data)
    folder.need_running()
    found: dict[str, Any] = control.ask(folder.file(CONTROL), "status")["reconcilers"]
    if json:
        show.as_json(found)
        return
    rows = [
        (
            name,
            last["at"][:19],
            "failed" if last["error"] else "ok",
            last["error"] or "; ".join(last["mended"]) or "all was well",
        )
        for name, last in found.items()
    ]
    show.table(["reconciler", "last run (UTC)", "state", "what it did"], rows, nothing="none has run yet")
