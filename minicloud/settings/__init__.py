"""Settings of a cloud: ``fields`` says which there are, ``reading`` where their values come from."""

from minicloud.base.folders import cache_folder, default_data, guest_cache, inherited, runtime_folder
from minicloud.settings.fields import Settings
from minicloud.settings.reading import Found, load

__all__ = [
    "Found",
    "Settings",
    "cache_folder",
    "default_data",
    "guest_cache",
    "inherited",
    "load",
    "runtime_folder",
]
