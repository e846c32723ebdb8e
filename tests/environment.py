"""The environment tests run in; a pytest plugin, because pytest-django reads settings early."""

import atexit
import os
import shutil
import tempfile

OURS = ("HASHWORLD_", "DJANGO_", "MYSQL_", "LOG_")
SERVERS = ("DATABASE_URL", "CELERY_BROKER_URL", "REDIS_URL")
KEPT = "HASHWORLD_TEST_"


def isolate() -> None:
    """Forget what the developer's shell says of HashWorld: tests must not touch real data."""
    footing = os.environ.setdefault("HASHWORLD_TEST_FOOTING", "embedded")
    for name in list(os.environ):
        ours = name.startswith(OURS) and not name.startswith(KEPT)
        server = name.startswith(SERVERS) and footing == "embedded"
        if ours or server:
            del os.environ[name]
    data_dir = tempfile.mkdtemp(prefix="hashworld-tests-")
    os.environ["HASHWORLD_DATA_DIR"] = data_dir
    atexit.register(shutil.rmtree, data_dir, ignore_errors=True)


isolate()
