"""The first page."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hashworld.console import figures
from hashworld.nodes import clock, pauses
from hashworld.nodes.leadership import Candidate
from hashworld.nodes.models import Node
from hashworld.tasks.models import HostQueue, Job, Minute
from hashworld.tasks.states import State
from tests.integration.console.work import EVIL, As, MaxQueries, end

pytestmark = pytest.mark.django_db


def shown(client: Client) -> str:
    return client.get(reverse("admin:index")).content.decode()


def test_a_first_visitor_is_told_what_to_do(root: Client) -> None:
    page = shown(root)
    assert "Start a node." in page
    assert reverse("admin:tasks_job_add") in page


def test_a_viewer_is_not_told_to_hand_in_a_job(as_member: As) -> None:
    assert reverse("admin:tasks_job_add") not in shown(as_member("viewer"))


def test_work_without_a_node_is_warned_of(root: Client, job: Job) -> None:
    assert "No node is alive." in shown(root)


def test_it_shows_states_nodes_jobs_and_failures(root: Client, job: Job, node: Node) -> None:
    end(job.tasks.first(), State.RUNTIME_ERROR, error="connect_timeout")
    page = shown(root)
    assert "No node is alive." not in page
    for text in ("berlin-1", "40 of 100 in flight", "Three", "1 of 3", "connect timeout"):
        assert text in page


@pytest.mark.parametrize(("seconds", "standing"), [(12, "suspected"), (300, "dead")])
def test_a_silent_node_is_shown_as_suspected_and_then_as_dead(
    root: Client, job: Job, node: Node, seconds: int, standing: str
) -> None:
    Node.objects.update(seen_at=clock.now() - timedelta(seconds=seconds))
    assert f">{standing}</em>" in shown(root)


def test_it_says_which_process_is_the_master_or_that_none_is(
    root: Client, job: Job, node: Node
) -> None:
    assert "no master" in shown(root)
    assert Candidate("rack-7/1f2e3d").run_once()
    page = shown(root)
    assert "no master" not in page
    assert "master rack-7, term 1" in page


def counted(minute: datetime, node: Node, kind: str, number: int, **columns: int) -> None:
    Minute.objects.create(minute=minute, node=node, kind=kind, number=number, **columns)


def test_the_chart_has_a_bar_for_every_minute_of_the_hour(node: Node) -> None:
    now = timezone.now()
    this = now.replace(second=0, microsecond=0)
    last, earlier = this - timedelta(minutes=1), this - timedelta(minutes=9)
    counted(last, node, "succeeded", 90, ms_100=40)
    counted(last, node, "connect", 20)
    counted(last, node, "reset", 10, ms_more=10)
    counted(last, node, "killed", 7)
    counted(last, node, "kept", 80)
    counted(earlier, node, "succeeded", 60, ms_250=40)
    counted(this - timedelta(hours=2), node, "succeeded", 999, ms_more=999)
    hour = figures.hour(now)
    assert len(hour.bars) == 60
    assert (hour.tallest, hour.total, hour.rate) == (120, 180, 2.0)
    assert (hour.bars[-2].height, hour.bars[-2].failed_height) == (100, 25)
    assert hour.bars[-10].height == 50
    assert hour.bars[-1].current
    assert (hour.median, hour.slow) == (0.1, 0.235)


def test_the_speed_of_the_hour_is_shown_once_there_is_one(root: Client, node: Node) -> None:
    assert "p95" not in shown(root)
    counted(timezone.now().replace(second=0, microsecond=0), node, "succeeded", 1, ms_100=2)
    assert "<b>75 ms</b>" in shown(root)


def test_how_long_work_waits_is_shown(root: Client, job: Job, node: Node) -> None:
    HostQueue.objects.update(ready_at=clock.now() - timedelta(seconds=190))
    assert "waiting, up to 3 min" in shown(root)


def test_today_begins_at_midnight(node: Node) -> None:
    now = timezone.now().replace(hour=12)
    counted(now, node, "succeeded", 2, bytes=7)
    counted(now, node, "tls", 1, bytes=3)
    counted(now, node, "kept", 1, bytes=999)
    counted(now - timedelta(hours=13), node, "succeeded", 5)
    assert figures.day(now) == figures.Day(2, 1, 10)


def test_the_living_part_asks_for_itself_while_it_is_seen(root: Client, job: Job) -> None:
    part = root.get(reverse("dashboard")).content.decode()
    assert "every 3s [!document.hidden]" in part
    assert f'hx-get="{reverse("dashboard")}"' in part
    assert "<html" not in part


def test_an_open_page_whose_session_ended_goes_to_sign_in_as_a_whole(client: Client) -> None:
    answer = client.get(reverse("dashboard"), headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == reverse("admin:index")
    assert not answer.content


def test_who_may_not_see_work_gets_none_of_it(as_member: As, job: Job) -> None:
    nobody = as_member("nobody")
    assert nobody.get(reverse("dashboard")).status_code == 403
    assert "Three" not in shown(nobody)


def test_it_costs_a_few_queries(
    root: Client, job: Job, node: Node, django_assert_max_num_queries: MaxQueries
) -> None:
    with django_assert_max_num_queries(15):
        root.get(reverse("dashboard"))
    with django_assert_max_num_queries(15):
        shown(root)


def test_the_sidebar_has_what_its_reader_may_open(as_member: As) -> None:
    page = shown(as_member("viewer"))
    assert reverse("admin:tasks_job_changelist") in page
    assert reverse("admin:auth_user_changelist") not in page


def test_an_operator_pauses_the_cluster_with_a_reason_and_resumes_it(
    as_member: As, job: Job
) -> None:
    operator = as_member("operator")
    assert "Pause the cluster" in shown(operator)
    told = operator.post(reverse("pause"), {"reason": f"power {EVIL}"}, follow=True)
    page = told.content.decode()
    assert "The cluster is paused." in page
    assert "The cluster is paused: power &lt;script&gt;" in page
    assert "By operator-person" in page
    assert "Resume the cluster" in page
    told = operator.post(reverse("pause"), {"reason": "x" * 201}, follow=True)
    assert "reason: it is longer than 200 characters" in told.content.decode()
    told = operator.post(reverse("pause"), {"resume": "1"}, follow=True)
    assert "The cluster is leased work again." in told.content.decode()
    assert not pauses.cluster().paused


def test_who_may_not_pause_the_cluster_is_refused(as_member: As, job: Job) -> None:
    submitter = as_member("submitter")
    assert "Pause the cluster" not in shown(submitter)
    assert submitter.post(reverse("pause")).status_code == 403
    assert submitter.get(reverse("pause")).status_code == 405
    assert not pauses.cluster().paused
