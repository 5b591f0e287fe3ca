"""Microversions as data: versions that compare, marks on fields, and the struct of each version derived from the one marked struct."""

import functools
import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from minicloud.base.errors import Invalid, NotAcceptable


class Version(NamedTuple):
    """A version such as 2.90; compares as numbers do."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@functools.lru_cache(1024)
def version(text: str) -> Version:
    """``"2.90"`` as a Version. Raises ValueError for anything else."""
    if not re.fullmatch(r"[1-9]\d*\.(0|[1-9]\d*)", text):
        raise ValueError(text)
    major, minor = text.split(".")
    return Version(int(major), int(minor))


class Since:
    """Mark: the field exists from this version on."""

    def __init__(self, first: str) -> None:
        self.first = version(first)


class Until:
    """Mark: the field exists up to and including this version."""

    def __init__(self, last: str) -> None:
        self.last = version(last)


class Pausing:
    """Mark: the field, which exists before and after, does not exist from the first to the last of these versions."""

    def __init__(self, first: str, last: str) -> None:
        self.first, self.last = version(first), version(last)


class RequiredSince:
    """Mark: the field must be given from this version on."""

    def __init__(self, first: str) -> None:
        self.first = version(first)


class NotNull:
    """Mark: the field may be left out, and is None then; but a request may not say null."""


class Beside:
    """Mark: the field stands beside the wrapped object, not in it (``os:scheduler_hints`` beside ``server``)."""


def exists(marks: tuple[Any, ...], at: Version | None) -> bool:
    """Whether a field with these marks exists at a version; without versions, everything does."""
    if at is None:
        return True
    return all(
        (not isinstance(mark, Since) or at >= mark.first)
        and (not isinstance(mark, Until) or at <= mark.last)
        and (not isinstance(mark, Pausing) or not mark.first <= at <= mark.last)
        for mark in marks
    )


class Negotiation(msgspec.Struct, frozen=True, kw_only=True):
    """How a service negotiates: the word in ``OpenStack-API-Version``, its bounds, and older headers it also reads.

    ``malformed`` and ``unacceptable`` are its words about ``{text}``; ``format`` is what it takes for a version at all.
    ``loose``: any word that contains the service's own is taken for it.
    """

    word: str
    lowest: Version
    newest: Version
    older_headers: tuple[str, ...] = ()
    vary: str = "OpenStack-API-Version"
    loose: bool = False
    format: str = r"[1-9]\d*\.(0|[1-9]\d*)"
    malformed: str = "API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum."
    unacceptable: str = "Version {text} is not supported by the API. Minimum is {lowest} and maximum is {newest}."

    def asked(self, headers: Mapping[str, str]) -> Version:
        """The version a request asks for; the lowest when it does not say.

        Raises Invalid for what is no version, NotAcceptable for one out of bounds, both in upstream's words.
        """
        text = ""
        for part in headers.get("openstack-api-version", "").split(","):
            word, _, asked = part.strip().partition(" ")
            if word == self.word or (self.loose and self.word in word):
                text = asked.strip()
        if not text:
            for name in self.older_headers:
                text = headers.get(name.lower(), "").strip() or text
        if not text:
            return self.lowest
        if text == "latest":
            return self.newest
        if not re.fullmatch(self.format, text):
            raise Invalid(self.malformed.format(text=text), kind="version")
        major, minor = text.split(".")
        asked_version = Version(int(major), int(minor))
        if not self.lowest <= asked_version <= self.newest:
            raise NotAcceptable(
                self.unacceptable.format(text=text, lowest=self.lowest, newest=self.newest),
                kind="version",
                min_version=str(self.lowest),
                max_version=str(self.newest),
            )
        return asked_version

    def headers(self, used: Version) -> list[tuple[str, str]]:
        """The headers that tell which version answered."""
        vary = ", ".join([self.vary, *self.older_headers])
        return [
            ("OpenStack-API-Version", f"{self.word} {used}"),
            *((name, str(used)) for name in self.older_headers),
            ("Vary", vary),
        ]


def marks_of(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A field's type without our marks (msgspec's own stay), and our marks."""
    if get_origin(hint) is not Annotated:
        return hint, ()
    kind, *found = get_args(hint)
    ours = tuple(mark for mark in found if isinstance(mark, (Since, Until, Pausing, RequiredSince, Beside, NotNull)))
    kept = [mark for mark in found if mark not in ours]
    return (Annotated[(kind, *kept)] if kept else kind), ours


def has_marks(kind: Any) -> bool:
    """Whether a struct, or one inside it, differs between versions."""
    return _has_marks(kind)


@functools.cache
def _has_marks(kind: type[msgspec.Struct]) -> bool:
    for hint in get_type_hints(kind, include_extras=True).values():
        plain, marks = marks_of(hint)
        if any(isinstance(mark, (Since, Until, Pausing, RequiredSince)) for mark in marks):
            return True
        if any(_has_marks(inner) for inner in structs_in(plain) if inner is not kind):
            return True
    return False


def structs_in(hint: Any) -> list[type[msgspec.Struct]]:
    """The structs that a type speaks of."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return [hint]
    return [found for argument in get_args(hint) for found in structs_in(argument)]


def is_closed(kind: type[msgspec.Struct], at: Version | None, default: bool) -> bool:
    """Whether unknown fields of a struct are refused at a version; ``default`` where it does not say so itself."""
    own: bool | Version | None = getattr(kind, "OPEN", None)
    if own is None:
        return default
    return not own if isinstance(own, bool) else at is None or at > own


@functools.cache
def struct_at(kind: type[msgspec.Struct], at: Version | None, forbid_unknown: bool) -> type[msgspec.Struct]:
    """The struct as it stood at a version, to decode a request with; refuses unknown fields where the service does, unless
    the struct itself says otherwise (``open=``)."""
    forbid_unknown = is_closed(kind, at, forbid_unknown)
    hints = get_type_hints(kind, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        plain, marks = marks_of(hints[field.name])
        if not exists(marks, at) or any(isinstance(mark, Beside) for mark in marks):
            continue
        if any(isinstance(mark, NotNull) for mark in marks):
            plain = _without_null(plain)
        fields.append(_field(field, _type_at(plain, at, forbid_unknown), marks, at))
    return msgspec.defstruct(
        kind.__name__,
        fields,
        forbid_unknown_fields=forbid_unknown,
        kw_only=True,
        tag=kind.__struct_config__.tag,
        tag_field=kind.__struct_config__.tag_field,
        namespace={"DERIVED_FROM": kind},
    )


@functools.cache
def wrapped_at(kind: type[msgspec.Struct], wrap: str, at: Version | None, forbid_unknown: bool) -> type[msgspec.Struct]:
    """The document that holds the struct under ``wrap``, with the fields that stand beside it."""
    hints = get_type_hints(kind, include_extras=True)
    fields: list[Any] = [("wrapped", struct_at(kind, at, forbid_unknown), msgspec.field(name=wrap))]
    for field in msgspec.structs.fields(kind):
        plain, marks = marks_of(hints[field.name])
        if any(isinstance(mark, Beside) for mark in marks) and exists(marks, at):
            fields.append(_field(field, _type_at(plain, at, forbid_unknown), marks, at))
    return msgspec.defstruct(f"{kind.__name__}Document", fields, forbid_unknown_fields=forbid_unknown, kw_only=True)


def restore(value: Any) -> Any:
    """What was decoded with derived structs, as the structs that were written down: fields a version lacks have their defaults."""
    if isinstance(value, msgspec.Struct):
        values = {name: restore(getattr(value, name)) for name in value.__struct_fields__}
        return getattr(value, "DERIVED_FROM", type(value))(**values)
    if isinstance(value, list):
        return [restore(part) for part in value]
    if isinstance(value, dict):
        return {name: restore(part) for name, part in value.items()}
    return value


def _field(field: Any, kind: Any, marks: tuple[Any, ...], at: Version | None) -> Any:
    required = field.required or any(isinstance(m, RequiredSince) and at is not None and at >= m.first for m in marks)
    if required:
        return (field.name, kind, msgspec.field(name=field.encode_name))
    if field.default is not msgspec.NODEFAULT:
        return (field.name, kind, msgspec.field(default=field.default, name=field.encode_name))
    return (field.name, kind, msgspec.field(default_factory=field.default_factory, name=field.encode_name))


def _without_null(hint: Any) -> Any:
    """The type without None in its union."""
    if get_origin(hint) is Annotated:
        return Annotated[(_without_null(get_args(hint)[0]), *get_args(hint)[1:])]
    return Union[tuple(kind for kind in get_args(hint) if kind is not type(None))]


def _type_at(hint: Any, at: Version | None, forbid_unknown: bool) -> Any:
    """The type with every struct inside it as of the version."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return struct_at(hint, at, forbid_unknown)
    origin, arguments = get_origin(hint), get_args(hint)
    if not structs_in(hint):
        return hint
    if origin is Annotated:
        return Annotated[(_type_at(arguments[0], at, forbid_unknown), *arguments[1:])]
    inner = tuple(_type_at(argument, at, forbid_unknown) for argument in arguments)
    if origin in (Union, types.UnionType):
        return Union[inner]
    return origin[inner]
