"""The rules of the layout: who imports whom, who writes states, what the code never does.

All of it is read from the syntax tree, so that a rule broken in a place no test runs is found too.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
TESTS = ROOT / "tests"

#: The packages from the ground up: each imports those before it and never those after.
LAYERS = ("fetcher", "nodes", "tasks", "recurring", "webhooks", "verbs", "console")
#: What no package of the core may import: the shells around it.
SHELLS = ("console", "api", "proxy", "embedded")
#: Modules that decide and compute and touch nothing outside their arguments.
PURE = (
    "hashworld.fetcher.address",
    "hashworld.fetcher.body",
    "hashworld.fetcher.errors",
    "hashworld.fetcher.exchange",
    "hashworld.fetcher.limits",
    "hashworld.fetcher.redirect",
    "hashworld.fetcher.schedule",
    "hashworld.fetcher.url",
    "hashworld.recurring.policy",
    "hashworld.recurring.slots",
    "hashworld.tasks.holdings",
    "hashworld.tasks.lanes",
    "hashworld.tasks.lending",
    "hashworld.tasks.portion",
    "hashworld.tasks.retry",
    "hashworld.tasks.states",
    "hashworld.webhooks.ladder",
    "hashworld.webhooks.signature",
)
IO = {"asyncio", "celery", "django", "http", "kombu", "os", "pathlib", "pycurl", "requests"} | {
    "select",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "urllib.request",
}
#: A pure module may use what names choices: it touches no database.
ALLOWED_IN_PURE = {
    "hashworld.recurring.policy": {"django.db.models.TextChoices"},
    "hashworld.tasks.states": {"django.db.models.IntegerChoices"},
}
#: Long modules, each with the reason why it is one all the same.
LONG = {
    "hashworld.fetcher.engine": "one loop, whose parts share its state",
    "hashworld.fetcher.transfer": "all of libcurl's options and answers in one place",
}
LONGEST = 300
#: Where a thread or a command has nothing to wait for but the time.
SLEEPERS = {
    "hashworld.tasks.progress": "a command that looks at a job until it is finished",
    "hashworld.embedded.demo": "a command that waits for processes to come up",
    "hashworld.embedded.broker.keeper": "a thread that ends by itself when nobody needs it",
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(package: str = "hashworld") -> dict[str, Path]:
    """Every module of a package but its migrations and what a compiler made."""
    folder = SOURCE / package.replace(".", "/")
    paths = [path for path in sorted(folder.rglob("*.py")) if "migrations" not in path.parts]
    paths = [path for path in paths if not path.name.startswith("communicate_pb2")]
    assert paths, f"there is no package {package}"
    return {module_name(path): path for path in paths}


def imports(name: str, path: Path) -> set[str]:
    """The dotted names that a module imports, at its top or anywhere inside."""
    return set(
        imported(tree(path), name if path.name == "__init__.py" else name.rpartition(".")[0])
    )


def imported(module: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(filter(None, [*parents, base]))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_imports_are_read_wherever_they_stand() -> None:
    text = "import a.b\nfrom c import d\ndef f():\n from . import g\n from ..h import i\n"
    assert set(imported(ast.parse(text), "x.y")) == {"a.b", "c.d", "x.y.g", "x.h.i"}


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_run_one_way(layer: str) -> None:
    above = [f"hashworld.{name}" for name in LAYERS[LAYERS.index(layer) + 1 :]]
    above += [f"hashworld.{name}" for name in SHELLS if name != layer]
    wrong = {
        (name, other)
        for name, path in modules(f"hashworld.{layer}").items()
        for other in imports(name, path)
        if within(other, *above)
    }
    assert not wrong


def test_the_fetcher_knows_nothing_but_itself() -> None:
    wrong = {
        (name, other)
        for name, path in modules("hashworld.fetcher").items()
        for other in imports(name, path)
        if within(other, "django", "celery", "kombu", "hashworld")
        and not within(other, "hashworld.fetcher")
    }
    assert not wrong


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_imports_nothing_that_does_io(name: str) -> None:
    wrong = {
        other
        for other in imports(name, modules()[name])
        if within(other, *IO) and other not in ALLOWED_IN_PURE.get(name, ())
    }
    assert not wrong


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_imports_only_pure_modules_of_ours(name: str) -> None:
    ours = {other for other in imports(name, modules()[name]) if within(other, "hashworld")}
    assert {other for other in ours if not within(other, *PURE)} == set()


def test_only_worker_modules_use_celerys_decorator() -> None:
    users = {
        name
        for name, path in modules().items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if re.search(r"\b(app\.task|shared_task)\b", ast.unparse(decorator))
    }
    assert users == {
        f"hashworld.{name}.worker" for name in ("nodes", "recurring", "tasks", "verbs")
    }
    assert not {
        name for name, path in modules().items() if "celery.shared_task" in imports(name, path)
    }


def test_a_celery_task_has_three_lines_at_most() -> None:
    for name, path in modules().items():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and any(
                "app.task" in ast.unparse(decorator) for decorator in node.decorator_list
            ):
                lines = sum(ast.unparse(part).count("\n") + 1 for part in node.body[1:])
                assert lines <= 3, f"{name}.{node.name}"


def state_writes(module: ast.Module) -> list[int]:
    """The lines that write a `state`: to an attribute, by a query, or in SQL."""
    return [
        node.lineno
        for node in ast.walk(module)
        if isinstance(node, ast.expr | ast.stmt) and writes_state(node)
    ]


def writes_state(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(part, ast.Attribute) and part.attr == "state" for part in targets)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return bool(re.search(r"(?is)\bUPDATE\s+`?tasks_task\b|\bSET\b.*\bstate\s*=", node.value))
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    if called.rpartition(".")[2] in ("put", "case"):
        return bool(node.args) and ast.unparse(node.args[0]) == "'state'"
    if called.rpartition(".")[2] in ("update", "bulk_update", "update_or_create", "bulk_create"):
        return any(
            keyword.arg == "state" or "state" in ast.unparse(keyword.value)
            for keyword in node.keywords
            if keyword.arg in ("state", "defaults", "fields", "update_fields")
        ) or any(
            isinstance(part, ast.Constant) and part.value == "state"
            for argument in node.args
            for part in ast.walk(argument)
        )
    return False


@pytest.mark.parametrize(
    "text",
    [
        "task.state = 3",
        "task.state += 1",
        "Task.objects.filter(pk=1).update(state=State.KILLED)",
        "Task.objects.bulk_update(found, ['state'])",
        "Task.objects.update_or_create(pk=1, defaults={'state': 3})",
        "rows.update(Task, ids, [rows.put('state', 3)])",
        "cursor.execute('UPDATE tasks_task SET lane = 1')",
        "cursor.execute(f'UPDATE {table} SET due_at = 0, state = 3')",
    ],
)
def test_a_state_written_anywhere_is_seen(text: str) -> None:
    assert state_writes(ast.parse(text))


@pytest.mark.parametrize(
    "text",
    ["state = 3", "Task.objects.filter(state=3)", "job.update(waiting=3)", "print('state = 3')"],
)
def test_a_state_read_is_no_write(text: str) -> None:
    assert not state_writes(ast.parse(text))


def test_only_the_moves_write_a_tasks_state() -> None:
    writers = {
        name: lines
        for package in ("hashworld.tasks", "hashworld.console", "hashworld.embedded")
        for name, path in modules(package).items()
        if (lines := state_writes(tree(path)))
    }
    assert set(writers) == {"hashworld.tasks.transitions"}
    assert len(writers["hashworld.tasks.transitions"]) == 1, "in one place"
    callers = {
        name
        for name, path in modules().items()
        if any(within(other, "hashworld.tasks.transitions") for other in imports(name, path))
    }
    assert callers == {"hashworld.tasks.moves"}


def test_only_submit_inserts_tasks() -> None:
    inserters = {
        name
        for name, path in modules().items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and (
            (ast.unparse(node.func) == "rows.insert" and ast.unparse(node.args[0]) == "Task")
            or re.match(
                r"Task(\.objects\.(bulk_|get_or_|update_or_)?create)?$", ast.unparse(node.func)
            )
        )
    }
    assert inserters == {"hashworld.tasks.submit"}


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def sleeps(module: ast.Module) -> bool:
    return any(
        (isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep")
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "time"
            and any(alias.name == "sleep" for alias in node.names)
        )
        for node in ast.walk(module)
    )


def test_no_test_sleeps() -> None:
    assert [path for path in files(TESTS) if sleeps(tree(path))] == []


def test_nothing_sleeps_without_a_reason() -> None:
    assert {name for name, path in modules().items() if sleeps(tree(path))} == set(SLEEPERS)


def test_no_error_is_swallowed() -> None:
    """A handler that only passes names the one error that it expects."""
    swallowed = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files(SOURCE)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (
                all(isinstance(part, ast.Pass) for part in node.body)
                and ast.unparse(node.type) in ("Exception", "BaseException")
            )
        )
    ]
    assert swallowed == []


def test_a_module_is_read_in_one_sitting() -> None:
    found = {**modules(), **modules("chatroom")}
    long = {name for name, path in found.items() if path.read_text().count("\n") > LONGEST}
    assert long <= set(LONG), "split it, or give a reason"
    assert set(LONG) <= long, "what has become short needs no reason"


def test_the_example_names_exactly_the_variables_that_are_read() -> None:
    read = {
        node.args[0].value
        for node in ast.walk(tree(SOURCE / "hashworld" / "env.py"))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).startswith("env.")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    named = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) == read


def test_nothing_else_reads_the_environment() -> None:
    readers = {
        name
        for name, path in modules().items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call | ast.Subscript)
        and re.match(r"os\.(getenv\(|environ(\.get\(|\[))", ast.unparse(node))
        and not isinstance(getattr(node, "ctx", None), ast.Store)
    }
    assert readers == set()
