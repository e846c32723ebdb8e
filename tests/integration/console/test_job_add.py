"""Handing in a job through the form."""

from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from hashworld.tasks.models import Job, Priority, Task
from tests.integration.console.work import EVIL, As

pytestmark = pytest.mark.django_db
DEFAULTS = {
    **{"priority": "1", "duplicates": "keep", "method": "GET", "verify_tls": "on"},
    **{"max_attempts": "4", "retry_base": "2", "retry_cap": "300"},
}


def hand_in(client: Client, **fields: object) -> str:
    form = {**DEFAULTS, "token": uuid4().hex, **fields}
    answer = client.post(reverse("admin:tasks_job_add"), form, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def upload(data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("urls.txt", data)


def test_a_submitter_hands_in_a_job(as_member: As) -> None:
    page = hand_in(
        as_member("submitter"),
        name="Two pages",
        urls="https://example.com/a\r\n\r\nhttps://example.com/b\r\n",
        priority="2",
        headers='{"Accept-Language": "en"}',
        limits='{"total_timeout": 30}',
    )
    assert "Accepted: 2 URLs." in page
    job = Job.objects.get()
    assert (job.name, job.priority, job.headers) == (
        "Two pages",
        Priority.HIGH,
        {"Accept-Language": "en"},
    )
    assert job.limits == {"total_timeout": 30}
    assert job.owner is not None
    assert job.owner.username == "submitter-person"
    assert job.tasks.count() == 2


def test_a_file_is_taken_line_by_line(root: Client) -> None:
    lines = "".join(f"https://example.com/{n}\n" for n in range(1500))
    assert "Accepted: 1,500 URLs." in hand_in(root, file=upload(b"\xef\xbb\xbf" + lines.encode()))
    assert Task.objects.count() == 1500


def test_refused_lines_are_told_with_number_value_and_reason(root: Client) -> None:
    urls = f"https://example.com/\n\nftp://example.com/\nhttp://{EVIL}/\n"
    page = hand_in(root, urls=urls)
    assert "<b>1</b> URL accepted" in page
    assert "<td>3</td>" in page
    assert "ftp://example.com/" in page
    assert "scheme &#x27;ftp&#x27; is not allowed" in page
    assert "<td>4</td>" in page
    assert EVIL not in page
    assert Job.objects.get().refused == 2


def test_a_list_without_one_good_line_makes_no_job(root: Client) -> None:
    page = hand_in(root, urls="ftp://example.com/\n")
    assert "Not handed in." in page
    assert "None of 1 can be fetched" in page
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Has no URL in it"),
        (b"\n  \n# a comment\n", "Has no URL in it"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not UTF-8"),
        (b"https://example.com/\n\x00\x01\x02", "Line 2 is binary"),
        ("https://example.com/\n".encode("utf-16"), "Line 1 is binary"),
        (b"x" * 200_000, "longer than"),
    ],
)
def test_a_file_that_is_no_list_is_refused(root: Client, data: bytes, reason: str) -> None:
    page = hand_in(root, file=upload(data))
    assert reason in page
    assert not Job.objects.exists()


def test_nothing_and_both_are_refused(root: Client) -> None:
    assert "Paste at least one URL, or choose a file." in hand_in(root, urls=" \n")
    both = hand_in(root, urls="https://example.com/", file=upload(b"https://example.com/\n"))
    assert "not both" in both
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("headers", "[1]", "Must be a JSON object"),
        ("headers", "{", "Enter a valid JSON"),
        ("headers", '{"Host": "x"}', "set by the engine"),
        ("limits", '{"total_time": 3}', "Total_time is no limit"),
        ("limits", '{"total_timeout": "x"}', "Total_timeout must be a number"),
        ("max_attempts", "0", "Must be from 1 to 20"),
        ("retry_base", "-1", "Must be from 0 to 3600 seconds"),
        ("keep_days", "-1", "Must be from 0 (for ever)"),
        ("body", "x", "Goes with POST only"),
    ],
)
def test_a_wrong_option_is_told_at_its_field(
    root: Client, field: str, value: str, reason: str
) -> None:
    form = {**DEFAULTS, "urls": "https://example.com/", field: value}
    answer = root.post(reverse("admin:tasks_job_add"), form)
    assert reason in str(answer.context["form"].errors[field])
    assert not Job.objects.exists()


def test_a_form_that_is_sent_twice_makes_one_job(root: Client) -> None:
    token = uuid4().hex
    hand_in(root, urls="https://example.com/", token=token)
    page = hand_in(root, urls="https://example.com/", token=token)
    assert "This form was sent before" in page
    assert Job.objects.count() == 1


def test_an_empty_object_stays_an_empty_field_when_something_else_is_wrong(root: Client) -> None:
    form = {**DEFAULTS, "urls": "", "headers": "", "limits": "{}"}
    page = root.post(reverse("admin:tasks_job_add"), form).content.decode()
    assert "Not handed in." in page
    assert "null</textarea>" not in page
    assert "{}</textarea>" not in page
