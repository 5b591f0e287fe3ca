"""Reads the settings: defaults, then ``minicloud.toml`` in the data folder, then ``MINICLOUD_*`` in the environment, then flags.

This and ``base/folders`` are the only files that read the environment. ``minicloud inspect settings`` prints the settings with
where each value came from.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from minicloud.base.errors import Invalid
from minicloud.base.folders import default_data
from minicloud.settings import volume_backends
from minicloud.settings.fields import Settings


class Found(msgspec.Struct, frozen=True):
    """The settings, and for each field where its value came from."""

    settings: Settings
    sources: dict[str, str]


def load(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Found:
    """The settings of a cloud; ``flags`` are those that were given (None: not given).

    Raises Invalid, naming the setting and its source, for an unknown name or an unfit value.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    sources = dict.fromkeys(Settings.__struct_fields__, "default")
    data = flags.get("data") or environment.get("MINICLOUD_DATA") or default_data(environment)
    given: list[tuple[str, Mapping[str, Any], bool]] = [
        ("minicloud.toml", _file(Path(data) / "minicloud.toml"), False),
        ("environment", _environment(environment), True),
        ("flag", {name: value for name, value in flags.items() if value is not None}, False),
    ]
    for source, found, is_text in given:
        for name, value in found.items():
            if name not in Settings.__struct_fields__:
                raise Invalid(f"There is no setting {name} ({source}): see `minicloud inspect settings`")
            values[name] = _converted(name, value, source, is_text)
            sources[name] = source
    values["data"] = str(Path(data).expanduser().absolute())
    if values.get("hosts_file"):
        values["hosts_file"] = str(Path(values["hosts_file"]).expanduser().absolute())
    settings = Settings(**values)
    for name in ("hosts", "max_attempts"):
        if getattr(settings, name) < 1:
            raise Invalid(f"The setting {name} must be at least 1")
    volume_backends.read(settings.volume_backends, settings.data)
    return Found(settings, sources)


def _file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"Cannot read {path}: {error}") from error


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    known = {f"MINICLOUD_{name.upper()}": name for name in Settings.__struct_fields__}
    return {name: environment[variable] for variable, name in known.items() if environment.get(variable, "") != ""}


def _converted(name: str, value: Any, source: str, is_text: bool) -> Any:
    try:
        return msgspec.convert(value, get_type_hints(Settings)[name], strict=not is_text)
    except msgspec.ValidationError as error:
        raise Invalid(f"The setting {name} ({source}) is not fit: {error}, got {value!r}") from error
