"""Users and groups."""

from io import StringIO
from itertools import pairwise

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from tests.integration.console.work import As

pytestmark = pytest.mark.django_db


def test_the_delivered_groups_can_do_ever_more(groups: None) -> None:
    viewer, *above = [
        set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))
        for name in ("viewer", "submitter", "operator", "admin")
    ]
    # A submitter sees their own jobs only, and may do with these what they like.
    assert viewer - above[0] == {"view_any_job"}
    assert viewer < above[1]
    assert all(small < large for small, large in pairwise(above))
    assert all(name.startswith("view_") for name in viewer)


def test_loading_the_groups_again_changes_nothing(groups: None) -> None:
    before = {group.pk: group.permissions.count() for group in Group.objects.all()}
    call_command("loaddata", "init.json", verbosity=0)
    assert {group.pk: group.permissions.count() for group in Group.objects.all()} == before


def test_a_user_that_is_added_can_sign_in(as_member: As) -> None:
    form = {
        "username": "newcomer",
        "password1": "a-long-enough-one",
        "password2": "a-long-enough-one",
        "groups": [Group.objects.get(name="viewer").pk],
        "usable_password": "true",
    }
    answer = as_member("admin").post(reverse("admin:auth_user_add"), form)
    assert answer.status_code == 302
    newcomer = Client()
    form = {"username": "newcomer", "password": "a-long-enough-one"}
    assert newcomer.post(reverse("admin:login"), form).status_code == 302
    assert newcomer.get(reverse("admin:tasks_job_changelist")).status_code == 200


def test_an_admin_takes_over_no_superuser(as_member: As) -> None:
    boss = User.objects.create_superuser("boss", password="the-old-password")
    admin = as_member("admin")
    form = {"password1": "the-new-password", "password2": "the-new-password"}
    answer = admin.post(reverse("admin:auth_user_password_change", args=[boss.pk]), form)
    assert answer.status_code == 403
    boss.refresh_from_db()
    assert boss.check_password("the-old-password")


def test_an_admin_makes_no_superuser(as_member: As) -> None:
    admin = as_member("admin")
    user = User.objects.get(username="admin-person")
    form = {"username": user.username, "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    admin.post(reverse("admin:auth_user_change", args=[user.pk]), form)
    user.refresh_from_db()
    assert not user.is_superuser


def inituser() -> str:
    out = StringIO()
    call_command("inituser", stdout=out)
    return out.getvalue()


def test_the_first_user_has_the_given_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "chief")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "given-by-the-operator")
    assert "given-by-the-operator" not in inituser()
    chief = User.objects.get()
    assert chief.is_superuser
    assert chief.check_password("given-by-the-operator")


def test_the_first_user_has_the_password_of_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    secret = f"{tmp_path}/password"
    with open(secret, "w") as file:
        file.write("kept-in-a-file\n")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD_FILE", secret)
    inituser()
    assert User.objects.get(username="admin").check_password("kept-in-a-file")


def test_without_a_password_a_random_one_is_told_once() -> None:
    told = inituser()
    password = told.rsplit(": ", 1)[1].strip()
    assert len(password) >= 20
    assert User.objects.get(username="admin").check_password(password)


def test_a_second_run_changes_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    inituser()
    before = User.objects.get().password
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "another-password")
    assert "nothing was changed" in inituser()
    assert User.objects.get().password == before


def test_every_right_of_the_fixture_exists(groups: None) -> None:
    assert Permission.objects.filter(codename__in=("kill_task", "retry_task")).count() == 2
