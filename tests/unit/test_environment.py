import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.conf import settings

SHOW = "import os, tests.environment; print(os.environ.get('DATABASE_URL'), os.environ.get('{}'))"


def variable_in_tests(name: str, **shell: str) -> list[str]:
    """DATABASE_URL and one more variable, as tests see them when started from such a shell."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW.format(name)],
        env={**os.environ, "DATABASE_URL": "mysql://production/", **shell},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_the_settings_live_in_a_temporary_data_folder() -> None:
    assert Path(settings.DATA_DIR).is_relative_to(tempfile.gettempdir())


def test_the_embedded_footing_forgets_the_shells_servers_and_options() -> None:
    seen = variable_in_tests(
        "HASHWORLD_MAX_TASKS", HASHWORLD_TEST_FOOTING="embedded", HASHWORLD_MAX_TASKS="1"
    )
    assert seen == ["None", "None"]


def test_the_cluster_footing_keeps_the_servers_it_was_given() -> None:
    seen = variable_in_tests("MYSQL_HOST", HASHWORLD_TEST_FOOTING="cluster", MYSQL_HOST="elsewhere")
    assert seen == ["mysql://production/", "None"]
