"""Everything a browser needs comes from here."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from hashworld.tasks.models import Job
from tests.integration.console.work import Made

pytestmark = pytest.mark.django_db
LOADED = re.compile(
    r"""<(?:script|link|img|iframe|form|source|use)\b[^>]*?\b(?:src|href|action)=["']([^"']*)"""
)
IN_CSS = re.compile(r"""(?:url\(|@import)\s*["']?(https?:)?//""")


@pytest.fixture
def pages(job: Job, fetched: Made) -> list[str]:
    """The main pages' addresses."""
    lists = ("tasks_job", "tasks_task", "tasks_host", "tasks_attempt", "nodes_node", "auth_user")
    return [
        reverse("admin:index"),
        reverse("admin:tasks_job_add"),
        reverse("admin:tasks_job_change", args=[job.pk]),
        reverse("admin:tasks_task_change", args=[fetched().pk]),
        *(reverse(f"admin:{name}_changelist") for name in lists),
    ]


def test_no_page_loads_anything_from_another_host(
    root: Client, client: Client, pages: list[str]
) -> None:
    shown = [root.get(page).content.decode() for page in pages]
    shown.append(client.get(reverse("admin:login")).content.decode())
    for page in shown:
        loaded = LOADED.findall(page)
        assert len(loaded) > 5
        foreign = [address for address in loaded if "//" in address]
        assert not foreign


def test_every_file_that_a_page_loads_is_there(root: Client, pages: list[str]) -> None:
    for page in pages:
        for address in LOADED.findall(root.get(page).content.decode()):
            if address.startswith("/static/"):
                assert finders.find(address.removeprefix("/static/")), address


@pytest.mark.parametrize("name", ["console/console.css", "unfold/css/styles.css"])
def test_no_stylesheet_loads_anything_from_another_host(name: str) -> None:
    found = finders.find(name)
    assert isinstance(found, str)
    with open(found) as file:
        assert not IN_CSS.search(file.read())
