"""A Celery application of the transport's tests: its broker and its diary are in the folder
TRANSPORT_TEST_FOLDER."""

import os
from pathlib import Path
from threading import Event

from celery import Celery

from hashworld.embedded.transport import register

register()
FOLDER = Path(os.environ["TRANSPORT_TEST_FOLDER"])
GATE = FOLDER / "gate"
DIARY = FOLDER / "diary"

app = Celery("transport_app", broker=f"hashworld:///{FOLDER}/broker.sqlite3")
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


def write(line: str) -> None:
    """Append a line to the diary, which outlives a killed worker."""
    with DIARY.open("a") as diary:
        diary.write(f"{line}\n")


@app.task
def record(name: str) -> None:
    write(f"did {name}")


@app.task
def wait_at_gate(name: str) -> None:
    write(f"began {name}")
    while not GATE.exists():
        Event().wait(0.02)
    write(f"did {name}")
