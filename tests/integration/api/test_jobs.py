"""Jobs over REST: handed in in every form, looked at, collected, acted on."""

import gzip
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from hashworld.api import bodies, watching
from hashworld.tasks.models import Job, Task
from hashworld.tasks.submit import submit
from tests.integration.api.conftest import Program
from tests.integration.people import Member

if hasattr(bodies, "zstd"):
    from hashworld.api.bodies import zstd  # type: ignore[attr-defined]

URLS = ["https://example.com/1", "https://example.com/2", "https://example.org/3"]
PLAIN = "\n".join(URLS).encode()


@pytest.fixture
def client(as_: Program, alice: User) -> Client:
    """Alice's program."""
    return as_(alice)


def post(client: Client, data: bytes, kind: str, query: str = "", **headers: str) -> Any:
    return client.post(f"/api/v1/jobs{query}", data, content_type=kind, headers=headers)


def test_a_job_in_one_document(client: Client, alice: User) -> None:
    document = {
        "urls": URLS,
        "name": "Three",
        "tags": ["nightly"],
        "headers": {"Accept-Language": "en"},
        "limits": {"total_timeout": 30},
        "priority": 2,
    }
    answer = post(client, json.dumps(document).encode(), "application/json")
    assert answer.status_code == 201
    told = answer.json()
    assert (told["accepted"], told["refused"], told["repeated"]) == (3, 0, False)
    assert told["job"]["owner"] == "alice"
    assert told["job"]["tags"] == ["nightly"]
    job = Job.objects.get(pk=told["job"]["id"])
    assert (job.priority, job.headers, job.limits["total_timeout"]) == (
        2,
        {"Accept-Language": "en"},
        30,
    )


def test_limits_that_are_counts_are_taken_as_whole_numbers(client: Client) -> None:
    limits = {"max_body": 1_000_000, "max_redirects": 2, "total_timeout": 7.5}
    document = json.dumps({"urls": URLS, "limits": limits}).encode()
    answer = post(client, document, "application/json")
    assert answer.status_code == 201
    kept = Job.objects.get(pk=answer.json()["job"]["id"]).limits
    assert kept == limits
    assert [type(value) for value in kept.values()] == [int, int, float]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text/plain", PLAIN),
        ("text/plain; charset=utf-8", b"\xef\xbb\xbf# a list\n\n" + PLAIN + b"\n"),
        ("application/x-ndjson", "\n".join(map(json.dumps, URLS)).encode()),
        ("application/jsonl", "\n".join(json.dumps({"url": url}) for url in URLS).encode()),
        ("text/csv", PLAIN),
        ("text/csv", b"name,URL\n" + "\n".join(f'"a, b",{url}' for url in URLS).encode()),
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_a_list_in_every_form(client: Client, kind: str, data: bytes, encoding: str) -> None:
    packed = {"identity": bytes, "gzip": gzip.compress, "zstd": zstd.compress}[encoding](data)
    answer = post(
        client, packed, kind, "?name=List&tags=a&tags=b", **{"Content-Encoding": encoding}
    )
    assert answer.status_code == 201, answer.content
    job = Job.objects.get()
    assert list(job.tasks.order_by("id").values_list("url", flat=True)) == URLS
    assert job.name == "List"
    assert job.tags.count() == 2


def test_each_line_that_is_refused_is_told_with_its_number(client: Client) -> None:
    lines = ['"https://example.com/"', '{"url": 5}', "nonsense", '"ftp://example.com/"']
    told = post(client, "\n".join(lines).encode(), "application/x-ndjson").json()
    assert (told["accepted"], told["refused"]) == (1, 3)
    assert [error["line"] for error in told["errors"]] == [2, 3, 4]
    assert "no JSON" in told["errors"][1]["reason"]


def test_a_csv_row_without_its_column_is_a_line_that_is_refused(client: Client) -> None:
    told = post(client, b"name,url\na,https://example.com/\nb\n", "text/csv").json()
    assert [error["line"] for error in told["errors"]] == [3]


BAD: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("text/plain", b"\n", {}, 422, "urls"),
    ("text/plain", b"nonsense\n", {}, 422, "urls"),
    ("text/plain", b"https://example.com/\n\xff\xfe\n", {}, 422, "body"),
    ("text/plain", b"https://example.com/\n\0\n", {}, 422, "body"),
    ("text/plain", b"https://a.example/\n" + b"x" * 70_000, {}, 422, "body"),
    ("text/csv", b'https://example.com/\n"open', {}, 422, "body"),
    ("text/plain", gzip.compress(PLAIN, mtime=0)[:-9], {"Content-Encoding": "gzip"}, 422, "body"),
    ("text/plain", PLAIN, {"Content-Encoding": "gzip"}, 422, "body"),
    ("text/plain", PLAIN, {"Content-Encoding": "zstd"}, 422, "body"),
    ("text/plain", PLAIN, {"Content-Encoding": "br"}, 415, ""),
    ("image/png", PLAIN, {}, 415, ""),
    ("application/x-www-form-urlencoded", b"urls=x", {}, 415, ""),
    ("application/json", b"{", {}, 422, "body"),
    ("application/json", b'{"urls": []}', {}, 422, "urls"),
    ("application/json", b'{"urls": ["https://e.example/"], "colour": 1}', {}, 422, "colour"),
    (
        "application/json",
        b'{"urls": ["https://e.example/"], "limits": {"x": 1}}',
        {},
        422,
        "limits.x",
    ),
    (
        "application/json",
        b'{"urls": ["https://e.example/"], "limits": {"max_body": 100000000000}}',
        {},
        422,
        "limits.max_body",
    ),
    ("application/json", b'{"urls": ["https://e.example/"], "body": "x"}', {}, 422, "body"),
]


@pytest.mark.parametrize(("kind", "data", "headers", "status", "field"), BAD)
def test_what_cannot_be_taken_is_one_clear_error_and_leaves_nothing(
    client: Client, kind: str, data: bytes, headers: dict[str, str], status: int, field: str
) -> None:
    answer = post(client, data, kind, **headers)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["detail"]
    assert [error["field"] for error in told.get("errors", [])] == ([field] if field else [])
    assert not Job.objects.filter(finished_at=None).exists()
    assert not Task.objects.filter(ended=None).exists()


def test_a_body_that_unpacks_to_too_much_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MOST", 1000)
    packed = gzip.compress(b"\n" * 2000 + PLAIN)
    answer = post(client, packed, "text/plain", **{"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert answer.json()["status"] == 413


def test_a_zstd_window_that_asks_for_much_memory_is_refused(client: Client) -> None:
    options = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    # The size is not told in the frame, so the window is.
    compressor = zstd.ZstdCompressor(options=options)
    packed = compressor.compress(PLAIN) + compressor.flush()
    answer = post(client, packed, "text/plain", **{"Content-Encoding": "zstd"})
    assert answer.status_code == 422
    assert not Job.objects.exists()


def test_a_repeat_with_the_same_key_answers_the_same_job(client: Client) -> None:
    first = post(client, PLAIN, "text/plain", **{"Idempotency-Key": "k1"})
    again = post(client, PLAIN, "text/plain", **{"Idempotency-Key": "k1"})
    other = post(client, PLAIN, "text/plain", **{"Idempotency-Key": "k2"})
    assert [answer.status_code for answer in (first, again, other)] == [201, 200, 201]
    assert again.json()["repeated"] is True
    assert again.json()["job"]["id"] == first.json()["job"]["id"] != other.json()["job"]["id"]


def test_jobs_are_listed_page_by_page_and_filtered(client: Client, alice: User, his: Job) -> None:
    made = [submit(URLS, owner=alice).job.pk for _ in range(3)]
    first = client.get("/api/v1/jobs?limit=2").json()
    rest = client.get("/api/v1/jobs", {"limit": 2, "cursor": first["next"]}).json()
    assert [job["id"] for job in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None
    assert client.get("/api/v1/jobs?tag=nightly").json()["items"] == []
    assert client.get("/api/v1/jobs?limit=0").status_code == 422
    assert client.get("/api/v1/jobs?cursor=x").status_code == 422
    for since in ("0001-01-01T00:00:00%2B14:00", "2026-01-01T00:00:00", "yesterday"):
        assert client.get(f"/api/v1/jobs?since={since}").status_code == 422
        assert client.get(f"/api/v1/tasks?since={since}").status_code == 422
    assert len(client.get("/api/v1/jobs?since=2026-01-01T00:00:00Z").json()["items"]) == 3


def test_the_job_of_another_is_not_there(client: Client, his: Job) -> None:
    for path in ("", "/results", "/progress", "/events"):
        answer = client.get(f"/api/v1/jobs/{his.pk}{path}")
        assert answer.status_code == 404
        assert answer.json()["title"] == "Not Found"


def test_a_job_is_killed_paused_resumed_retried_and_deleted(client: Client, hers: Job) -> None:
    def do(verb: str, body: str = "{}") -> Any:
        return client.post(f"/api/v1/jobs/{hers.pk}/{verb}", body, content_type="application/json")

    assert do("pause", '{"reason": "lunch"}').json()["pause_reason"] == "lunch"
    assert do("resume").json()["paused"] is False
    conflict = client.delete(f"/api/v1/jobs/{hers.pk}")
    assert conflict.status_code == 409
    assert "kill it first" in conflict.json()["detail"]
    assert do("kill").status_code == 202
    assert do("retry").status_code == 409, "a kill is under way"
    assert do("pause", '{"reason": 5}').status_code == 422


def test_progress_is_answered_at_once_when_it_is_news(client: Client, hers: Job) -> None:
    told = client.get(f"/api/v1/jobs/{hers.pk}/progress?wait=60").json()
    assert told["counts"]["waiting"] == 3
    assert (told["total"], told["done"], told["finished"]) == (3, 0, False)


def test_a_long_poll_is_answered_when_the_progress_changes(
    client: Client, hers: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = client.get(f"/api/v1/jobs/{hers.pk}/progress").json()["version"]
    pauses: list[float] = []

    def work(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            Job.objects.filter(pk=hers.pk).update(waiting=2, succeed=1)

    monkeypatch.setattr(watching, "_pause", work)
    told = client.get(f"/api/v1/jobs/{hers.pk}/progress?wait=60&seen={seen}").json()
    assert told["counts"]["succeed"] == 1
    assert len(pauses) == 2


def test_a_long_poll_ends_with_its_time(client: Client, hers: Job) -> None:
    seen = client.get(f"/api/v1/jobs/{hers.pk}/progress").json()["version"]
    told = client.get(f"/api/v1/jobs/{hers.pk}/progress?wait=0.05&seen={seen}").json()
    assert told["version"] == seen


def test_only_some_may_wait_at_once(client: Client, hers: Job) -> None:
    seen = client.get(f"/api/v1/jobs/{hers.pk}/progress").json()["version"]
    streams = [client.get(f"/api/v1/jobs/{hers.pk}/events") for _ in range(watching.WAITING)]
    waiting = f"/api/v1/jobs/{hers.pk}/progress?wait=9&seen={seen}"
    refused = client.get(waiting)
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    for stream in streams:
        for close in stream._resource_closers:
            close()  # what the server does in the end; not one event was read
    assert client.get(waiting.replace("wait=9", "wait=0.01")).status_code == 200


def test_events_tell_the_progress_until_the_job_is_finished(
    client: Client, hers: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(seconds: float) -> None:
        Job.objects.filter(pk=hers.pk).update(waiting=0, succeed=3, finished_at=hers.created_at)

    monkeypatch.setattr(watching, "_pause", work)
    answer = client.get(f"/api/v1/jobs/{hers.pk}/events")
    assert answer["Content-Type"] == "text/event-stream"
    text = answer.getvalue().decode()
    assert [line for line in text.splitlines() if line.startswith("event:")] == [
        "event: progress",
        "event: finished",
    ]
    assert '"succeed": 3' in text


def test_a_viewer_hands_in_nothing(as_: Program, person: Member) -> None:
    answer = post(as_(person("viewer")), PLAIN, "text/plain")
    assert answer.status_code == 403
    assert not Job.objects.exists()
