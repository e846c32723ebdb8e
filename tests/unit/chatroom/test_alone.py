"""The chatroom stands alone: it imports neither Django nor HashWorld, and asks for little else."""

import subprocess
import sys
from pathlib import Path

from tests.unit.test_architecture import SOURCE, imported, modules, tree, within

ALLOWED = ("chatroom", "grpc", "msgspec", "prometheus_client", "redis", "uvloop", "websockets")
#: Whatever holds or opens a socket.
IO = {"asyncio", "grpc", "logging", "os", "redis", "socket", "uvloop", "websockets"}
_BLOCKED = """
import importlib.abc, sys
class Wall(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('django', 'hashworld', 'celery', 'structlog'):
            raise ImportError(f'{name} is not there')
sys.meta_path.insert(0, Wall())
import chatroom.__main__, chatroom.bus.redis, chatroom.bus.events, chatroom.client
"""


def outside(name: str, path: Path) -> set[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return {
        other
        for other in imported(tree(path), package)
        if other.partition(".")[0] not in sys.stdlib_module_names
    }


def test_the_chatroom_imports_nothing_but_its_own_extra():
    for name, path in modules("chatroom").items():
        wrong = {
            other for other in outside(name, path) if not within(other, *ALLOWED, "websockets")
        }
        assert not wrong, name


def test_hashworld_does_not_import_the_chatroom():
    for name, path in modules().items():
        assert not {other for other in outside(name, path) if within(other, "chatroom")}, name


def test_the_core_does_no_input_or_output():
    for name, path in modules("chatroom.core").items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        assert not {o for o in imported(tree(path), package) if o.partition(".")[0] in IO}, name


def test_the_chatroom_starts_where_neither_django_nor_hashworld_is():
    environment = {"PYTHONPATH": str(SOURCE), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", _BLOCKED], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
