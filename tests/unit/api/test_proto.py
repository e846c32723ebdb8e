"""The generated Python of communicate.proto is in the repository, and must be of this proto."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MADE = ("communicate_pb2.py", "communicate_pb2.pyi", "communicate_pb2_grpc.py")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proto")
    subprocess.run([ROOT / "scripts" / "proto.sh", folder], check=True)
    return folder


@pytest.mark.parametrize("package", ["hashworld/api", "chatroom"])
@pytest.mark.parametrize("name", MADE)
def test_what_is_generated_is_up_to_date(fresh: Path, package: str, name: str) -> None:
    path = Path("src") / package / name
    assert (ROOT / path).read_text() == (fresh / path).read_text(), "run `make proto`"
