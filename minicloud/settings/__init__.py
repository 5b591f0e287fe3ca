"""Settings of a cloud: ``fields`` says which there are, ``reading`` where their values come from."""

from minicloud.base.folders import cache_folder, default_data, guest_cache, inherited, runtime_folder
from minicloud.settings.fields import Settings
from minicloud.settings.reading import Found, load
from minicloud.settings.volume_backends import VolumeBackend
from minicloud.settings.volume_backends import read as read_volume_backends

__all__ = [
    "Found",
    "Settings",
    "VolumeBackend",
    "cache_folder",
    "default_data",
    "guest_cache",
    "inherited",
    "load",
    "read_volume_backends",
    "runtime_folder",
]
