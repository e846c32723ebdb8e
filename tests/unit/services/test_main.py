from pathlib import Path

import pytest

from tests.services import RabbitMQ
from tests.services.__main__ import main

RUN = ["run", "--only", "rabbitmq", "--", "true"]


@pytest.fixture
def without_rabbitmq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RabbitMQ, "missing", lambda: ["rabbitmq-server"])


@pytest.mark.usefixtures("without_rabbitmq")
def test_a_missing_program_leaves_the_command_out_and_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert main(RUN) == 77
    assert "lacks rabbitmq-server (for rabbitmq)" in capsys.readouterr().err


@pytest.mark.usefixtures("without_rabbitmq")
def test_a_missing_program_is_a_failure_in_continuous_integration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", "true")
    assert main(RUN) == 1


def test_a_service_found_again_has_the_same_port_and_password(tmp_path: Path) -> None:
    first, second = RabbitMQ(tmp_path), RabbitMQ(tmp_path)
    assert first.url == second.url
    assert not second.is_running()
