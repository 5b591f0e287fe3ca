"""Settings of Horizon for a run: upstream's own, for a cloud and a folder that the environment names, with nothing compiled."""

import os

from openstack_dashboard.settings import *  # noqa: F403

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
SECRET_KEY = "of no account"
OPENSTACK_KEYSTONE_URL = os.environ["MINICLOUD_IDENTITY"]
# Nobody looks at style sheets: they are handed out as they are.
COMPRESS_ENABLED = False
COMPRESS_PRECOMPILERS = ()
SESSION_ENGINE = "django.contrib.sessions.backends.file"
SESSION_FILE_PATH = os.environ["MINICLOUD_SESSIONS"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
