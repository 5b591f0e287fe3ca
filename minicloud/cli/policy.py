"""``minicloud policy``: who may do what, by which rule, and why."""

from pathlib import Path
from typing import Annotated

import typer

from minicloud.cli import show
from minicloud.cli.options import Data, Json, folder_of

app = typer.Typer(
    help="Who may do what: the rules of all policies, and why one allows or forbids.", no_args_is_help=True
)


@app.command("list")
def list_(
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="Only policies with this in their name.")] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only those that policy.yaml changes.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """List every policy with its rule, as policy.yaml in the data folder makes it.

    Example: minicloud policy list os_compute_api:servers

    Example: minicloud policy list --changed
    """
    from minicloud.operations import parts

    policy = parts.policy(Path(folder_of(data).path))
    found = [
        rule
        for rule in policy.rules.values()
        if (text is None or text in rule.name) and (rule.overridden or not changed)
    ]
    if json:
        show.as_json(found)
        return
    rows = [
        (rule.name, "policy.yaml" if rule.overridden else "", parts.scope_words(rule), rule.check or "(always)")
        for rule in found
    ]
    show.table(
        ["policy", "changed in", "tokens of", "rule"],
        rows,
        nothing="policy.yaml changes nothing" if changed and text is None else "no such policy",
    )


@app.command("check")
def check(
    policy: Annotated[str, typer.Argument(help="The policy, such as os_compute_api:servers:index.")],
    user: Annotated[str, typer.Option(help="Who would ask: a user's name or id.")],
    project: Annotated[str | None, typer.Option(help="With a token for this project: its name or id.")] = None,
    domain: Annotated[str | None, typer.Option(help="With a token for this domain: its name or id.")] = None,
    system: Annotated[bool, typer.Option("--system", help="With a token for the system.")] = False,
    target: Annotated[
        list[str] | None,
        typer.Option(help="What would be acted upon, such as project_id=... (default: what is the user's own)."),
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Say whether somebody may do something, and which parts of the rule hold.

    Example: minicloud policy check os_compute_api:servers:delete --user demo --project demo

    Example: minicloud policy check identity:get_user --user demo --target target.user.id=0123
    """
    from minicloud.base.errors import Invalid
    from minicloud.cli.reading import read
    from minicloud.operations import parts
    from minicloud.operations.bearers import Bearer

    folder = folder_of(data)
    bearer: Bearer = read(folder, "bearer", Bearer, user=user, project=project, domain=domain, system=system)
    who = bearer.context
    about = {"project_id": who.project_id, "user_id": who.user_id, "domain_id": who.domain_id}
    for one in target or []:
        name, equals, value = one.partition("=")
        if not equals:
            raise Invalid(f"a target is name=value, not {one!r}")
        about[name] = value
    rules = parts.policy(Path(folder.path))
    reasons = rules.explain(policy, who, about)
    allowed = rules.allows(policy, who, about)
    if json:
        show.as_json(
            {"allowed": allowed, "rule": rules.rules[policy].check, "roles": sorted(who.roles), "why": reasons}
        )
        return
    held = ", ".join(sorted(who.roles)) or "no role"
    print(f"{who.user_name} {bearer.where} holds {held}: {'may' if allowed else 'may not'} do {policy}")
    print(f"  rule: {rules.rules[policy].check or '(always)'}")
    for reason in reasons:
        print(f"  {'  ' * reason.depth}{'holds' if reason.holds else 'fails'}  {reason.check}")
