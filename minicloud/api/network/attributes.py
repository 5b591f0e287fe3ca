"""Resources as data: their attributes, who may write them when, what they are filtered and sorted by; and reading documents.

    NETWORK = Resource("network", "networks", [
        Attribute("name", values.name, default="", filter="text", sort=True),
        Attribute("shared", values.boolean, default=False, ruled=True, filter="flag"),
    ])

A document is read in the order in which Neutron refuses: unknown attributes, those not allowed here, those missing, values.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from minicloud.api.call import Call
from minicloud.api.network import values
from minicloud.base.errors import Invalid

REQUIRED = object()
"""Default of an attribute that a new resource must name."""
OMITTED = object()
"""Default of an attribute that core is not told of unless it is named."""


class Attribute(msgspec.Struct, frozen=True):
    """An attribute. ``read`` None: clients cannot write it. ``column`` is core's word for it; ``ruled``: it has policies."""

    name: str
    read: values.Reader | None = None
    default: Any = OMITTED
    new: bool = True
    change: bool = True
    ruled: bool = False
    column: str = ""
    filter: Literal["", "text", "flag", "number", "moment", "special"] = ""
    sort: bool = False

    @property
    def key(self) -> str:
        """Core's name for it."""
        return self.column or self.name


OWNED = [
    Attribute("id", filter="text", sort=True),
    Attribute("tenant_id", values.project, change=False, column="project_id", filter="text", sort=True),
    Attribute("project_id", values.project, change=False, filter="text", sort=True),
]
"""What every resource has that belongs to a project."""
COMMON = [
    *OWNED,
    Attribute("description", values.text(255), "", filter="text", sort=True),
    Attribute("created_at", filter="moment", sort=True),
    Attribute("updated_at", filter="moment", sort=True),
    Attribute("revision_number", filter="number"),
]
"""What every resource has besides that has Neutron's standard attributes."""


class Written(msgspec.Struct, frozen=True):
    """A document that was read: values by core's names, and the attributes that were named in it with their values."""

    project_id: str
    values: dict[str, Any]
    given: dict[str, Any]
    named: frozenset[str]


class Resource:
    """A kind of resource: its name, that of a collection of it, and its attributes; ``has`` are those common to many."""

    def __init__(
        self, name: str, collection: str, attributes: Sequence[Attribute], has: Sequence[Attribute] = COMMON
    ) -> None:
        self.name = name
        self.collection = collection
        self.attributes = {attribute.name: attribute for attribute in [*has, *attributes]}

    def read_new(self, call: Call, raw: bytes) -> tuple[list[Written], bool]:
        """The resources that a POST asks for, and whether it is a collection. Raises Invalid."""
        document = parse(raw)
        if self.collection in document:
            items = document[self.collection]
            if not isinstance(items, list) or not items:
                raise _bad("Resources required")
            return [
                self._new(call, item.get(self.name, item) if isinstance(item, dict) else item) for item in items
            ], True
        return [self._new(call, self._inner(document))], False

    def read_change(self, raw: bytes) -> Written:
        """What a PUT changes. Raises Invalid."""
        given = self._inner(parse(raw))
        self._known(given)
        for name in given:
            if self.attributes[name].read is None or not self.attributes[name].change:
                raise _bad(f"Cannot update read-only attribute {name}")
        found = self._convert(given)
        return Written("", found, given, frozenset(given))

    def _inner(self, document: Mapping[str, Any]) -> dict[str, Any]:
        inner = document.get(self.name)
        if inner is None:
            raise _bad(f"Unable to find '{self.name}' in request body")
        if not isinstance(inner, dict):
            raise _bad(f"Object '{self.name}' contains invalid data")
        return inner

    def _new(self, call: Call, given: Any) -> Written:
        if not isinstance(given, dict):
            raise _bad("Body contains invalid data")
        project_id = _project(call, given)
        self._known(given)
        for name in given:
            if self.attributes[name].read is None or not self.attributes[name].new:
                raise _bad(f"Attribute '{name}' not allowed in POST")
        missing = [a.name for a in self.attributes.values() if a.default is REQUIRED and a.name not in given]
        if missing:
            raise _bad(f"Failed to parse request. Required attribute '{missing[0]}' not specified")
        found = {
            a.key: a.default
            for a in self.attributes.values()
            if a.new and a.read is not None and a.default is not OMITTED and a.name not in given
        }
        found |= self._convert(given)
        found.pop("project_id", None)
        named = frozenset(
            name
            for name, value in given.items()
            if found.get(self.attributes[name].key, value) != self.attributes[name].default
        )
        return Written(project_id, found, given, named)

    def _known(self, given: Mapping[str, Any]) -> None:
        unknown = [name for name in given if name not in self.attributes]
        if unknown:
            raise _bad(f"Unrecognized attribute(s) '{', '.join(unknown)}'")

    def _convert(self, given: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in given.items():
            attribute = self.attributes[name]
            assert attribute.read is not None
            try:
                found[attribute.key] = attribute.read(value)
            except ValueError as error:
                raise _bad(f"Invalid input for {name}. Reason: {error}.") from None
        return found


def parse(raw: bytes) -> dict[str, Any]:
    """A request's document. Raises Invalid."""
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("Malformed request body: Cannot understand JSON.", kind="MalformedRequestBody") from None
    if not document:
        raise _bad("Resource body required")
    if not isinstance(document, dict):
        raise _bad("Body contains invalid data")
    return document


def _project(call: Call, given: Mapping[str, Any]) -> str:
    """Whose the new resource shall be."""
    named = {str(given[name]) for name in ("tenant_id", "project_id") if given.get(name) is not None}
    if len(named) > 1:
        raise _bad("'project_id' and 'tenant_id' do not match")
    own = call.context.project_id
    wanted = next(iter(named), own)
    if wanted is None:
        raise _bad("Running without a project in scope requires that project_id is specified")
    if wanted != own and not call.context.is_admin:
        raise _bad(
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin "
            "privileges"
        )
    return wanted


def _bad(message: str) -> Invalid:
    return Invalid(message, kind="HTTPBadRequest")
