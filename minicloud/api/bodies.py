"""Bodies: request documents to structs, structs to answer documents, at the version that was negotiated.

    class KeypairCreate(Body, wrap="keypair"):
        name: Name
        type: Annotated[Literal["ssh", "x509"], Since("2.2")] = "ssh"

``UNSET`` is the default of a field that may be left out and means something else than null.
"""

import functools
import re
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform, get_type_hints

import msgspec

from minicloud.api.microversions import (
    Version,
    exists,
    has_marks,
    is_closed,
    marks_of,
    restore,
    struct_at,
    structs_in,
    version,
    wrapped_at,
)
from minicloud.base.errors import Invalid

B = TypeVar("B", bound="Body")

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Text = Annotated[str, msgspec.Meta(max_length=255)]
LongText = Annotated[str, msgspec.Meta(max_length=65535)]
UUID = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}\Z")
]


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class _BodyMeta(msgspec.StructMeta):
    """Takes ``wrap=`` and ``open=`` on the class line, which msgspec's own metaclass would refuse."""

    def __new__(
        mcls,
        name: str,
        bases: Any,
        namespace: dict[str, Any],
        *,
        wrap: str | None = None,
        open: bool | str | None = None,
        **config: Any,
    ) -> Any:
        config.setdefault("kw_only", True)
        made: Any = super().__new__(mcls, name, bases, namespace, **config)
        if wrap is not None:
            made.WRAP = wrap
        if open is not None:
            made.OPEN = version(open) if isinstance(open, str) else open
        return made


class Body(msgspec.Struct, metaclass=_BodyMeta):
    """A document of the API, of a request or of an answer. ``wrap`` is the key it stands under; ``open`` accepts unknown fields,
    always or, where it names a version, up to and including that one."""

    WRAP: ClassVar[str | None] = None
    OPEN: ClassVar[bool | Version | None] = None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How a service reads bodies: whether it refuses unknown fields, and whether ``"1"`` may stand for 1 or true."""

    forbid_unknown: bool = True
    lenient: bool = False


def decode(raw: bytes, kind: type[B], version: Version | None, reading: Reading, *, wrap: str | None = None) -> B:
    """The body of a request, at this version, under ``wrap`` or else under the key that its class names.

    Raises Invalid: kind ``json`` when it is no JSON at all, kind ``body`` when it is not what the call takes.
    """
    forbid = is_closed(kind, version, reading.forbid_unknown)
    wrap = wrap or kind.WRAP
    shape = struct_at(kind, version, forbid) if wrap is None else wrapped_at(kind, wrap, version, forbid)
    try:
        found: Any = msgspec.json.decode(raw, type=shape, strict=not reading.lenient)
    except msgspec.ValidationError as error:
        raise _as_invalid(error, _plain(raw)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"Malformed JSON in the request body: {error}", kind="json") from error
    values: dict[str, Any] = {}
    if wrap is not None:
        values = {name: restore(getattr(found, name)) for name in found.__struct_fields__ if name != "wrapped"}
        found = found.wrapped
    values.update({name: restore(getattr(found, name)) for name in found.__struct_fields__})
    return kind(**values)


S = TypeVar("S", bound=msgspec.Struct)


def convert(value: Any, kind: type[S], *, lenient: bool = False) -> S:
    """A part of a document, decoded already, as a struct; fields that it does not have are passed over. Raises Invalid."""
    try:
        return msgspec.convert(value, kind, strict=not lenient)
    except msgspec.ValidationError as error:
        raise _as_invalid(error, value) from error


def _plain(raw: bytes) -> Any:
    """A document as it came; None for one that is no JSON from somewhere on."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


_BOUND = re.compile(r"Expected `(str|int|float)`(?: of length)? (<=|>=) (\S+)")
_WORDS = {
    ("str", "<="): "is too long",
    ("str", ">="): "is too short",
    ("int", "<="): "is greater than the maximum of {}",
    ("int", ">="): "is less than the minimum of {}",
}
TOLD_LETTERS = 4096
"""A text that is longer is not said again to whoever sent it."""


def _out_of_bounds(reason: str, path: str, document: Any) -> str | None:
    """What is wrong with a text or a number that is too long, too short, too large or too small; None where it is not that."""
    match = _BOUND.fullmatch(reason)
    if match is None or "..." in path:
        return None
    for name, place in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path):
        try:
            document = document[name] if name else document[int(place)]
        except (LookupError, TypeError):
            return None
    if not isinstance(document, str | int | float) or len(str(document)) > TOLD_LETTERS:
        return None
    kind = "str" if match[1] == "str" else "int"
    return f"Value: {document}. {document!r} {_WORDS[kind, match[2]].format(match[3])}"


def _as_invalid(error: msgspec.ValidationError, document: Any) -> Invalid:
    """msgspec's finding about a document as upstream's validators would word it, with the path kept for the trace."""
    text = str(error)
    match = re.fullmatch(r"(?s)(.*?)(?: - at `(.*)`)?", text)
    reason, path = (match[1], match[2] or "$") if match else (text, "$")
    # What the expression of printable characters means in words: nobody can read it.
    reason = re.sub(
        r"matching regex '\^[^']*u2028[^']*'", "of printable characters without white space at its ends", reason
    )
    field = re.sub(r"\[\.\.\.\]|\[\d+\]", "", path).rpartition(".")[2].removeprefix("$")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", reason)
    missing = re.fullmatch(r"Object missing required field `(.*)`", reason)
    if unknown:
        return Invalid(
            f"Additional properties are not allowed ('{unknown[1]}' was unexpected)",
            kind="body",
            path=path,
            field=unknown[1],
        )
    if missing:
        return Invalid(f"'{missing[1]}' is a required property", kind="body", path=path, field=missing[1])
    bound = _out_of_bounds(reason, path, document) if field else None
    if bound:
        return Invalid(f"Invalid input for field/attribute {field}. {bound}", kind="body", path=path, field=field)
    if field:
        return Invalid(f"Invalid input for field/attribute {field}. {reason}.", kind="body", path=path, field=field)
    return Invalid(f"Invalid request body. {reason}.", kind="body", path=path)


class _Outline(msgspec.Struct, frozen=True):
    """What has to be done to a struct for a version: fields it lacks then, and fields in which something differs."""

    absent: dict[str, Any]
    deep: tuple[str, ...]


@functools.cache
def _outline(kind: type[msgspec.Struct], version: Version | None) -> _Outline | None:
    """What a version changes of a struct; None when it is whole at that version, and so is everything in it."""
    if version is None or not has_marks(kind):
        return None
    absent: dict[str, Any] = {}
    deep = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name not in kind.__struct_fields__:
            continue
        plain, marks = marks_of(hint)
        if not exists(marks, version):
            absent[name] = msgspec.UNSET
        elif any(_outline(inner, version) is not None for inner in structs_in(plain)):
            deep.append(name)
    return _Outline(absent, tuple(deep)) if absent or deep else None


def render(value: Any, version: Version | None) -> Any:
    """The value with every struct in it reduced to the fields of the version; what needs no change is left as it is.

    Inside a struct only fields whose type says that something in them differs by version are looked into.
    """
    if isinstance(value, msgspec.Struct):
        outline = _outline(type(value), version)
        if outline is None:
            return value
        changes = dict(outline.absent)
        for name in outline.deep:
            changes[name] = render(getattr(value, name), version)
        # What is UNSET is left out by the encoder.
        return msgspec.structs.replace(value, **changes)
    if isinstance(value, list):
        return [render(part, version) if isinstance(part, (msgspec.Struct, list, dict)) else part for part in value]
    if isinstance(value, dict):
        return {
            name: render(part, version) if isinstance(part, (msgspec.Struct, list, dict)) else part
            for name, part in value.items()
        }
    return value


def encode(value: Any, version: Version | None) -> bytes:
    """An answer as JSON, at the version; a Body with ``wrap`` stands under its key."""
    wrap = value.WRAP if isinstance(value, Body) else None
    rendered = render(value, version)
    return msgspec.json.encode({wrap: rendered} if wrap is not None else rendered)
