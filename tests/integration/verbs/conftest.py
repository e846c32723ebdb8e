"""People of every group, and work of two of them."""

import pytest
from django.contrib.auth.models import User

from hashworld.tasks.models import Job
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.submit import submit
from tests.integration.people import Member, make_groups, member


@pytest.fixture
def person(db: None) -> Member:
    """Make a person of a group."""
    make_groups()
    return member


@pytest.fixture
def alice(person: Member) -> User:
    """A submitter."""
    return person("submitter", "alice")


@pytest.fixture
def bob(person: Member) -> User:
    """Another submitter."""
    return person("submitter", "bob")


@pytest.fixture
def operator(person: Member) -> User:
    """Who may act on everybody's jobs."""
    return person("operator", "oscar")


@pytest.fixture
def hers(alice: User) -> Job:
    """A job of Alice's: three tasks on two hosts."""
    urls = ["https://a.example/1", "https://a.example/2", "https://b.example/3"]
    return submit(urls, JobSpec(name="Hers", tags=("nightly",)), alice).job


@pytest.fixture
def his(bob: User) -> Job:
    """A job of Bob's."""
    return submit(["https://a.example/9"], JobSpec(name="His"), bob).job
