"""The settings as people read them: each with its type, its default and the sentence that stands below it in settings/fields.py."""

import ast
import inspect
from typing import Any

import msgspec

from minicloud import settings
from minicloud.settings import fields


class Described(msgspec.Struct, frozen=True):
    """A setting in words."""

    name: str
    type: str
    default: Any
    sentence: str

    @property
    def flag(self) -> str:
        """Its option of ``minicloud up``."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its variable in the environment."""
        return f"MINICLOUD_{self.name.upper()}"

    @property
    def choices(self) -> str:
        """What it may be: ``qemu|fake``, or the name of its type."""
        if self.type.startswith("Literal["):
            return self.type[8:-1].replace("'", "").replace(", ", "|")
        return {"str": "text", "int": "number", "float": "number", "bool": "yes or no"}[self.type]


def described() -> list[Described]:
    """Every setting, in the order of the file."""
    struct = next(
        node
        for node in ast.parse(inspect.getsource(fields)).body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    defaults = settings.Settings()
    found: list[Described] = []
    for field, below in zip(struct.body, struct.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            said = below.value if isinstance(below, ast.Expr) else None
            sentence = said.value if isinstance(said, ast.Constant) and isinstance(said.value, str) else ""
            name = field.target.id
            found.append(Described(name, ast.unparse(field.annotation), getattr(defaults, name), sentence))
    return found


def settings_page() -> str:
    """The table of docs/settings.md."""
    rows = ["| setting | may be | default | what it is |", "| --- | --- | --- | --- |"]
    for one in described():
        default = "" if one.default == "" else f"`{_plain(one.default)}`"
        choices = one.choices.replace("|", "\\|")
        rows.append(f"| `{one.name}` | {choices} | {default} | {one.sentence.replace('``', '`')} |")
    return "\n".join(rows) + "\n"


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
