"""People of every group, and a little work to look at."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from hashworld.nodes.models import Node
from hashworld.tasks.models import Job, Task
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State
from hashworld.tasks.submit import submit
from tests.integration.console.work import As, Made, end, keep, record
from tests.integration.people import make_groups


@pytest.fixture(autouse=True)
def collected_files(settings: LazySettings) -> None:
    """WhiteNoise warns when the folder of collected files, which tests do without, is missing."""
    settings.STATIC_ROOT.mkdir(exist_ok=True)


@pytest.fixture
def groups(db: None) -> None:
    """The groups that are delivered."""
    make_groups()


@pytest.fixture
def as_member(groups: None) -> As:
    """A signed-in browser of a member of a group; "nobody" is in none."""

    def sign_in(group: str) -> Client:
        user = User.objects.create_user(f"{group}-person", is_staff=True)
        if group != "nobody":
            user.groups.add(Group.objects.get(name=group))
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def root(db: None) -> Client:
    """The browser of the superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def node(db: None) -> Node:
    """A node that is there."""
    now = timezone.now()
    return Node.objects.create(
        name="berlin-1",
        incarnation="1",
        hostname="berlin.example",
        pid=17,
        version="1",
        max_tasks=100,
        in_flight=40,
        started_at=now - timedelta(hours=1),
        seen_at=now,
    )


@pytest.fixture
def job(db: None) -> Job:
    """A job of three tasks that nobody has fetched."""
    return submit([f"https://example.com/{n}" for n in range(3)], JobSpec(name="Three")).job


@pytest.fixture
def fetched(node: Node) -> Made:
    """Make a task that was fetched, and brought this body."""

    def make(body: bytes = b"hello", **attempt: object) -> Task:
        job = submit(["https://example.com/page"], JobSpec(name="One")).job
        task = job.tasks.get()
        end(task, State.SUCCEED, status=200, content=keep(body))
        record(task, node, status=200, content=task.content, **attempt)
        return task

    return make
