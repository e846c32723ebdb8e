"""What an owner may hand in, at whichever door and however many submissions come at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from hashworld.recurring import changes, submission
from hashworld.recurring.models import FiringState
from hashworld.recurring.template import Template, Timing
from hashworld.tasks import moves, quotas
from hashworld.tasks.errors import QuotaPassed
from hashworld.tasks.models import Job, Quota, Task, Usage
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State
from hashworld.tasks.submit import submit
from tests.integration.console.work import end, keep


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("alice")


def urls(number: int) -> list[str]:
    return [f"https://a.example/{n}" for n in range(number)]


def test_who_has_no_quota_may_have_as_much_as_they_like(owner: User) -> None:
    assert submit(urls(50), owner=owner).accepted == 50
    assert not Usage.objects.exists()


def test_a_submission_that_passes_the_unfinished_tasks_leaves_nothing(owner: User) -> None:
    Quota.objects.create(user=owner, unfinished=10)
    submit(urls(8), owner=owner)
    with pytest.raises(QuotaPassed, match="10") as caught:
        submit(urls(3), owner=owner)
    assert caught.value.retry_after > 0
    assert Job.objects.count() == 1
    assert submit(urls(2), owner=owner).accepted == 2


def test_what_has_ended_makes_room(owner: User) -> None:
    Quota.objects.create(user=owner, unfinished=3)
    job = submit(urls(3), owner=owner).job
    moves.kill(job.tasks.values_list("id", flat=True)[:2])
    assert submit(urls(2), owner=owner).accepted == 2


def test_a_long_submission_is_stopped_on_the_way_and_taken_down(owner: User) -> None:
    Quota.objects.create(user=owner, unfinished=1500, daily=5000)
    with pytest.raises(QuotaPassed):
        submit(urls(2500), owner=owner)
    assert not Task.objects.filter(ended=None).exists()
    assert Usage.objects.get().tasks == 0, "what came to nothing is not counted"
    assert submit(urls(1500), owner=owner).accepted == 1500


def test_the_tasks_of_a_day_are_counted_over_its_submissions(owner: User) -> None:
    Quota.objects.create(user=owner, daily=10)
    submit(urls(6), owner=owner)
    moves.kill(Task.objects.values_list("id", flat=True))
    with pytest.raises(QuotaPassed, match="a day") as caught:
        submit(urls(5), owner=owner)
    assert 0 < caught.value.retry_after <= 86_400
    assert submit(urls(4), owner=owner).accepted == 4
    assert Usage.objects.get().tasks == 10
    Usage.objects.update(day=datetime.now(UTC).date() - timedelta(days=1))
    assert submit(urls(10), owner=owner).accepted == 10


def test_lines_that_are_refused_are_not_counted(owner: User) -> None:
    Quota.objects.create(user=owner, daily=2)
    assert submit([*urls(2), "nonsense"], owner=owner).refused == 1


def test_who_keeps_too_many_bytes_hands_in_nothing(owner: User) -> None:
    Quota.objects.create(user=owner, bytes=5)
    task = submit(urls(1), owner=owner).job.tasks.get()
    end(task, State.SUCCEED, status=200, content=keep(b"12345"))
    with pytest.raises(QuotaPassed, match="5 bytes"):
        submit(urls(1), owner=owner)


def test_a_repeat_costs_nothing(owner: User) -> None:
    Quota.objects.create(user=owner, daily=2)
    spec = JobSpec(idempotency_key="k")
    assert not submit(urls(2), spec, owner).repeated
    assert submit(urls(2), spec, owner).repeated


@pytest.mark.parametrize(
    ("own", "groups", "daily"),
    [
        (None, [], None),
        (None, [5], 5),
        (None, [5, 9], 9),
        (None, [5, None], None),
        (3, [9], 3),
    ],
)
def test_the_most_generous_group_counts_unless_there_is_a_row_of_ones_own(
    owner: User, own: int | None, groups: list[int | None], daily: int | None
) -> None:
    if own:
        Quota.objects.create(user=owner, daily=own)
    for number, limit in enumerate(groups):
        group = Group.objects.create(name=str(number))
        owner.groups.add(group)
        Quota.objects.create(group=group, daily=limit)
    assert quotas.limits_of(owner).daily == daily


@pytest.mark.parametrize("both", [True, False])
def test_a_quota_is_of_a_person_or_of_a_group(owner: User, both: bool) -> None:
    columns: dict[str, Any] = (
        {"user": owner, "group": Group.objects.create(name="g")} if both else {}
    )
    with pytest.raises(ValidationError, match="either"):
        Quota(**columns).full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        Quota.objects.create(**columns)


def test_a_firing_that_passes_its_owners_quota_has_failed_and_says_so(owner: User) -> None:
    Quota.objects.create(user=owner, daily=1)
    template = Template("Nightly", "\n".join(urls(2)))
    made = changes.create(template, Timing(crontab="30 2 * * *"), owner)
    firing = changes.fire_now(made.pk)
    submission.submit_due_of(made.pk)
    firing.refresh_from_db()
    assert firing.state == FiringState.FAILED
    assert "a day" in firing.reason
