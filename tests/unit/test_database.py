"""What is wrong with the database, told to people and to who starts it."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError

from hashworld import __main__, database

AWAY = OperationalError(2002, "Can't connect to server on '127.0.0.1' (115)")
LOST = OperationalError(2013, "Lost connection to server during query")
SHUTDOWN = OperationalError(1053, "Server shutdown in progress")
DENIED = OperationalError(1045, "Access denied for user 'hashworld'@'localhost'")
LACKING = ProgrammingError(1146, "Table 'hashworld.tasks_task' doesn't exist")
LOCKED = OperationalError("database is locked")


@pytest.mark.parametrize("error", [AWAY, LOST, SHUTDOWN])
def test_another_try_may_help_where_the_server_is_away(error: Exception) -> None:
    assert database.is_away(error)


@pytest.mark.parametrize("error", [DENIED, LACKING, LOCKED, OperationalError()])
def test_another_try_helps_nothing_where_the_server_answered(error: Exception) -> None:
    assert not database.is_away(error)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (AWAY, "The database cannot be used: Can't connect to server on '127.0.0.1' (115)."),
        (LACKING, "The database is not set up: Table 'hashworld.tasks_task' doesn't exist."),
        (ImproperlyConfigured("no engine"), "The configuration cannot be used: no engine"),
    ],
)
def test_it_is_told_in_one_line(error: OperationalError, line: str) -> None:
    told = database.explain(error)
    assert told.startswith(line)
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(("error", "code"), [(AWAY, 3), (DENIED, 1)])
def test_a_command_says_by_its_code_whether_another_try_may_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(__main__, "execute_from_command_line", fail)
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == code
    assert capsys.readouterr().err == database.explain(error) + "\n"  # type: ignore[arg-type]
