"""Where things lie by custom, as the environment of whoever started us says."""

import os
from collections.abc import Mapping
from pathlib import Path


def default_data(environment: Mapping[str, str] | None = None) -> str:
    """The data folder when nobody says otherwise."""
    environment = os.environ if environment is None else environment
    base = environment.get("XDG_DATA_HOME") or str(Path(environment.get("HOME", "~")) / ".local" / "share")
    return str(Path(base).expanduser() / "minicloud")


def cache_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where what can be built again is kept, such as the guest image: shared by all clouds of the user."""
    environment = os.environ if environment is None else environment
    base = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME", "~")) / ".cache")
    return Path(base).expanduser() / "minicloud"


def guest_cache(environment: Mapping[str, str] | None = None) -> Path:
    """Where the guest image is built and kept."""
    return cache_folder(environment) / "guest"


def runtime_folder(environment: Mapping[str, str] | None = None) -> str:
    """A short path for sockets, whose names may have 107 bytes."""
    environment = os.environ if environment is None else environment
    return environment.get("XDG_RUNTIME_DIR") or "/tmp"


def inherited(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that a program we start inherits."""
    return dict(os.environ if environment is None else environment)
