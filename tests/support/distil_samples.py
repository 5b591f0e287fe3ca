"""Distils nova's API samples to their shapes: which keys with which types of values each sampled answer has at each version.

``python -m tests.support.distil_samples NOVA_SDIST`` writes ``tests/golden/nova_samples.jsonl``: a line for each sample, its name
and its shapes by version, the later ones as merge patches (RFC 7396) on the one before. A list is an object with the key ``[]``;
an object whose keys are data (metadata, addresses) has the key ``*``. Types: s(tring), n(umber), b(oolean), x (null: anything).
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "golden" / "nova_samples.jsonl"
REQUESTS = re.compile(
    r"-req\b|os-shelve/|os-suspend-server/|os-pause-server/|os-lock-server/|os-admin-actions/|os-admin-password/"
    r"|os-migrate-server/|/lock-server|live-migrate-server$|force_complete|server-action-(?![\w-]+-resp$)|os-rescue/server-rescue"
    r"|server-create-req"
)
OF_DATA = ("metadata", "addresses", "extra_specs", "properties", "scheduler_hints", "meta", "log", "cpu_pinning")
"""Keys of objects whose own keys are data."""


def shape(value: Any, key: str = "") -> Any:
    """The shape of a value."""
    if isinstance(value, dict):
        if key in OF_DATA or key == "hosts":
            inner = "x" if key == "scheduler_hints" else merged([shape(part) for part in value.values()])
            return {"*": inner}
        return {name: shape(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return {"[]": merged([shape(part, key if key == "hosts" else "") for part in value])}
    if value is None:
        return "x"
    return "b" if isinstance(value, bool) else "n" if isinstance(value, int | float) else "s"


def merged(shapes: list[Any]) -> Any:
    """One shape for all: of objects those keys that each has; of others the first."""
    if not shapes:
        return "x"
    if all(isinstance(one, dict) for one in shapes):
        common = [name for name in shapes[0] if all(name in one for one in shapes)]
        return {name: merged([one[name] for one in shapes]) for name in common}
    return shapes[0]


def patch(old: Any, new: Any) -> Any:
    """The merge patch that makes the new shape of the old one."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    changes: dict[str, Any] = {name: None for name in old if name not in new}
    for name, part in new.items():
        if old.get(name) != part:
            changes[name] = patch(old[name], part) if isinstance(old.get(name), dict) else part
    return changes


def patched(old: Any, change: Any) -> Any:
    """The shape with a merge patch applied."""
    if not isinstance(change, dict):
        return change
    kept = dict(old) if isinstance(old, dict) else {}
    for name, part in change.items():
        if part is None:
            kept.pop(name, None)
        else:
            kept[name] = patched(kept.get(name), part)
    return kept


def distil(samples: Path) -> list[str]:
    """A line for each sampled answer."""
    found: dict[str, dict[int, Any]] = {}
    for path in sorted(samples.rglob("*.json")):
        relative = path.relative_to(samples).with_suffix("")
        name = f"{relative.parts[0]}/{relative.parts[-1]}"
        if REQUESTS.search(name):
            continue
        version = relative.parts[1] if len(relative.parts) == 3 else "v2.1"
        found.setdefault(name, {})[int(version.split(".")[1])] = shape(json.loads(path.read_text()))
    lines = []
    for name, by_version in sorted(found.items()):
        told: dict[str, Any] = {}
        before: Any = None
        for minor, now in sorted(by_version.items()):
            told[f"2.{minor}"] = now if before is None else patch(before, now)
            before = now
        lines.append(json.dumps([name, told], separators=(",", ":")))
    return lines


if __name__ == "__main__":
    TARGET.write_text("".join(f"{line}\n" for line in distil(Path(sys.argv[1]) / "doc" / "api_samples")))
