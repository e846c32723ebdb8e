"""Who may do what with webhooks."""

import pytest
from django.contrib.auth.models import User

from hashworld.tasks.models import Job
from hashworld.verbs import webhooks as verbs
from hashworld.verbs.errors import Conflict, Forbidden, Invalid, NotFound
from hashworld.verbs.models import AuditEntry
from hashworld.webhooks.models import Webhook
from tests.integration.people import Member

pytestmark = pytest.mark.django_db(transaction=True)
URL = "https://hooks.example/in"
KINDS = ["job.finished"]


def test_a_webhook_is_added_with_a_secret_and_seen_by_its_owner(alice: User, bob: User) -> None:
    hook, secret = verbs.add(alice, URL, ["job.finished", "task.finished"])
    assert secret.startswith("whsec_")
    assert hook.kinds == ["task.finished", "job.finished"]
    assert verbs.find(alice) == [hook]
    assert verbs.find(bob) == []
    for act in (verbs.get, verbs.rotate, verbs.enable, verbs.disable, verbs.remove):
        with pytest.raises(NotFound):
            act(bob, hook.pk)
    verbs.remove(alice, hook.pk)
    assert list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True)) == [
        "add webhook",
        "remove webhook",
    ]


@pytest.mark.parametrize(
    ("url", "kinds", "field"),
    [
        ("ftp://hooks.example/", KINDS, "url"),
        ("https://hooks.example:25/", KINDS, "url"),
        ("https://user:pass@hooks.example/", KINDS, "url"),
        (URL, [], "kinds"),
        (URL, ["job.progress"], "kinds"),
    ],
)
def test_what_cannot_be_added_is_told_by_field(
    alice: User, url: str, kinds: list[str], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        verbs.add(alice, url, kinds)
    assert caught.value.field == field
    assert not Webhook.objects.exists()


def test_the_webhook_of_a_job_is_for_who_may_see_the_job(
    alice: User, bob: User, hers: Job, person: Member
) -> None:
    assert verbs.add(alice, URL, KINDS, hers.pk)[0].job_id == hers.pk
    with pytest.raises(NotFound):
        verbs.add(bob, URL, KINDS, hers.pk)
    with pytest.raises(Forbidden):
        verbs.add(person("viewer"), URL, KINDS)


def test_a_person_has_a_bounded_number_of_webhooks(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verbs, "MOST", 1)
    verbs.add(alice, URL, KINDS)
    with pytest.raises(Conflict):
        verbs.add(alice, URL, KINDS)


def test_what_was_disabled_is_enabled_again(alice: User) -> None:
    hook, _ = verbs.add(alice, URL, KINDS)
    assert verbs.disable(alice, hook.pk, "moving").disabled_reason == "moving"
    assert verbs.enable(alice, hook.pk).disabled_at is None
