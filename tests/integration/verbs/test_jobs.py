"""What a person can do with whole jobs, and with whose."""

import pytest
from django.contrib.auth.models import User

from hashworld.tasks import pursuit
from hashworld.tasks.models import Job, Wanted
from hashworld.tasks.spec import JobSpec
from hashworld.verbs import jobs
from hashworld.verbs.errors import Conflict, Forbidden, Invalid, NotFound
from hashworld.verbs.filters import JobFilter
from hashworld.verbs.models import AuditEntry
from tests.integration.people import Member


def test_who_hands_in_a_job_owns_it(alice: User) -> None:
    done = jobs.submit(alice, ["https://example.com/"], JobSpec(tags=("a", "b")))
    assert done.job.owner == alice
    assert sorted(done.job.tags.values_list("name", flat=True)) == ["a", "b"]


def test_a_viewer_hands_in_no_job(person: Member) -> None:
    with pytest.raises(Forbidden, match="add_job"):
        jobs.submit(person("viewer"), ["https://example.com/"])
    assert not Job.objects.exists()


def test_a_wrong_option_is_named(alice: User) -> None:
    with pytest.raises(Invalid) as caught:
        jobs.submit(alice, ["https://example.com/"], JobSpec(tags=("two words",)))
    assert caught.value.field == "tags"


def test_a_submitter_sees_only_their_own_jobs(alice: User, hers: Job, his: Job) -> None:
    assert [job.pk for job in jobs.find(alice).items] == [hers.pk]
    with pytest.raises(NotFound):
        jobs.get(alice, his.pk)
    with pytest.raises(NotFound):
        list(jobs.results(alice, his.pk))


@pytest.mark.parametrize("group", ["viewer", "operator", "admin"])
def test_others_see_all_jobs(person: Member, hers: Job, his: Job, group: str) -> None:
    assert [job.pk for job in jobs.find(person(group)).items] == [his.pk, hers.pk]


def test_whoever_is_in_no_group_sees_nothing(person: Member, hers: Job) -> None:
    with pytest.raises(Forbidden):
        jobs.find(person("nobody"))


def test_a_closed_account_may_nothing(alice: User, hers: Job) -> None:
    alice.is_active = False
    with pytest.raises(Forbidden):
        jobs.get(alice, hers.pk)


VERBS = [jobs.kill, jobs.retry, jobs.pause, jobs.resume]


@pytest.mark.parametrize("verb", VERBS)
def test_an_owner_acts_on_a_job_and_another_submitter_does_not(
    alice: User, bob: User, hers: Job, verb: object
) -> None:
    assert callable(verb)
    with pytest.raises(NotFound):
        verb(bob, hers.pk)
    assert not AuditEntry.objects.exists()
    verb(alice, hers.pk)
    entry = AuditEntry.objects.get()
    assert entry.actor == alice
    assert entry.target == f"job {hers.pk}: Hers"


@pytest.mark.parametrize("verb", VERBS)
def test_a_viewer_sees_a_job_and_does_not_act_on_it(
    person: Member, hers: Job, verb: object
) -> None:
    assert callable(verb)
    with pytest.raises(Forbidden):
        verb(person("viewer"), hers.pk)
    hers.refresh_from_db()
    assert not hers.wanted
    assert not hers.paused


def test_an_operator_kills_the_job_of_another_and_it_is_written_down(
    operator: User, hers: Job
) -> None:
    assert jobs.kill(operator, hers.pk, "it asks too much").wanted == Wanted.KILL
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.number) == (operator, "kill job", 3)
    assert entry.reason == "it asks too much"
    pursuit.carry_out(hers.pk)
    hers.refresh_from_db()
    assert hers.killed == 3


def test_a_job_that_has_something_to_do_is_not_deleted(alice: User, hers: Job) -> None:
    with pytest.raises(Conflict, match="kill it first"):
        jobs.delete(alice, hers.pk)
    pursuit.kill_job(hers.pk)
    jobs.delete(alice, hers.pk)
    pursuit.carry_out(hers.pk)
    assert not Job.objects.filter(pk=hers.pk).exists()


def test_what_is_retried_is_named(alice: User, hers: Job) -> None:
    with pytest.raises(Invalid, match="which"):
        jobs.retry(alice, hers.pk, "all")
    assert jobs.retry(alice, hers.pk, "killed").wanted == Wanted.RETRY_KILLED


def test_a_reason_that_is_too_long_is_refused(alice: User, hers: Job) -> None:
    with pytest.raises(Invalid, match="reason"):
        jobs.pause(alice, hers.pk, "x" * 201)


def test_a_job_is_found_by_its_owners_key_only(alice: User, bob: User) -> None:
    made = jobs.submit(alice, ["https://example.com/"], JobSpec(idempotency_key="k")).job
    assert jobs.by_key(alice, "k").pk == made.pk
    with pytest.raises(NotFound):
        jobs.by_key(bob, "k")


def test_pages_go_through_all_jobs(operator: User, alice: User) -> None:
    made = [jobs.submit(alice, ["https://example.com/"]).job.pk for _ in range(5)]
    seen: list[int] = []
    cursor = None
    while True:
        page = jobs.find(operator, None, cursor, 2)
        seen += [job.pk for job in page.items]
        if (cursor := page.next) is None:
            break
    assert seen == made[::-1]


@pytest.mark.parametrize("cursor", ["%%%", "YWJj", "MTox", "\u00e9"])
def test_a_cursor_from_elsewhere_is_refused(alice: User, cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        jobs.find(alice, None, cursor)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (JobFilter(name="her"), {"Hers"}),
        (JobFilter(owner="bob"), {"His"}),
        (JobFilter(tag="nightly"), {"Hers"}),
        (JobFilter(unfinished=True), {"Hers", "His"}),
        (JobFilter(unfinished=False), set()),
    ],
)
def test_jobs_are_filtered(
    operator: User, hers: Job, his: Job, wanted: JobFilter, found: set[str]
) -> None:
    assert {job.name for job in jobs.find(operator, wanted).items} == found


def test_since_is_when_it_was_handed_in(operator: User, hers: Job, his: Job) -> None:
    wanted = JobFilter(since=his.created_at)
    assert [job.pk for job in jobs.find(operator, wanted).items] == [his.pk]
