"""Two people at two browsers in the chatroom of `make run`; needs Chromium.

Pictures of what they see are kept in HASHWORLD_TEST_PICTURES, where that is given.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Footing, WaitUntil
from tests.services.service import find_binary
from tests.system.test_run import MANAGE, UP, Running, Stage

sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

NEAR = 60_000  # milliseconds
MARKUP = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, wait_until: WaitUntil, footing: Footing
) -> Iterator[Running]:
    if footing != "embedded":
        pytest.skip("is about the embedded footing")
    stage = Stage(tmp_path_factory.mktemp("chat"))
    try:
        here = stage.start("run", "--nodes", "1")
        for line in (UP, "node ready", "chatroom ready", "remote door open"):
            wait_until(lambda line=line: here.said(line), timeout=200)
        yield here
    finally:
        stage.clear()


@pytest.fixture(scope="module")
def site(running: Running) -> Iterator[int]:
    port = int(running.environment["HASHWORLD_FETCH_PORTS"])
    with subprocess.Popen([sys.executable, "-m", "hashworld.embedded.site", str(port)]) as site:
        yield port
        site.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = find_binary("chromium")
    if program is None:
        pytest.skip("this machine has no Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def people(running: Running) -> dict[str, str]:
    """Names and passwords: the administrator, and an operator."""
    password = re.search(r"Password \(shown this once\): (\S{16,})", running.log.read_text())
    assert password
    make = (
        "from django.contrib.auth.models import User, Group;"
        "u = User.objects.create_user('bob', password='bobs-own-word', is_staff=True);"
        "u.groups.add(Group.objects.get(name='operator'))"
    )
    subprocess.run([*MANAGE, "shell", "-c", make], env=running.environment, check=True)
    return {"admin": password[1], "bob": "bobs-own-word"}


@pytest.fixture
def enter(browser: Any, running: Running, people: dict[str, str]) -> Iterator[Any]:
    """Sign somebody in and open the chatroom; afterwards nothing failed on any page."""
    base = f"http://{running.environment['HASHWORLD_WEB_BIND']}"
    contexts, failures = [], []

    def enter(name: str, **options: Any) -> Any:
        context = browser.new_context(base_url=base, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(error.stack or str(error)))
        page.goto("/admin/login/?next=/admin/chat/")
        page.fill("[name=username]", name)
        page.fill("[name=password]", people[name])
        page.press("[name=password]", "Enter")
        page.wait_for_selector("#hc-state[data-state=up]", timeout=NEAR)
        lobby = "#hc-rooms [aria-current=true]:has-text('#lobby')"
        page.wait_for_selector(lobby, state="attached", timeout=NEAR)
        return page

    yield enter
    for context in contexts:
        context.close()
    assert [failure for failure in failures if "chat.js" in failure] == []


def say(page: Any, text: str) -> None:
    page.fill("#hc-text", text)
    page.press("#hc-text", "Enter")


def hears(page: Any, text: str) -> None:
    page.locator("#hc-log li", has_text=text).first.wait_for(timeout=NEAR)


def picture(page: Any, name: str) -> None:
    if folder := os.environ.get("HASHWORLD_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_two_people_talk_and_see_each_other(enter: Any):
    ada, bob = enter("admin"), enter("bob", color_scheme="dark")
    say(ada, "good morning")
    hears(bob, "good morning")
    say(bob, f"look: {MARKUP} https://example.com/a?b=1")
    hears(ada, MARKUP)
    link = ada.locator("#hc-log a", has_text="https://example.com/a?b=1")
    assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    assert ada.locator("#hc-log img, #hc-log script").count() == 0
    assert "owned" not in ada.title()
    ada.locator("#hc-people li", has_text="bob").wait_for(timeout=NEAR)
    picture(ada, "talk")
    # What is said elsewhere is counted as unread.
    ada.click("#hc-rooms button:has-text('#ops')")
    say(bob, "are you there?")
    ada.locator("#hc-rooms button:has-text('#lobby') .hc-unread", has_text="1").wait_for()
    # A direct talk opens on both sides.
    bob.locator("#hc-people button", has_text="admin").click()
    bob.wait_for_function("document.getElementById('hc-title').textContent === 'admin'")
    say(bob, "between us")
    ada.click("#hc-rooms button:has-text('bob')", timeout=NEAR)
    hears(ada, "between us")


def test_the_page_comes_back_after_the_server_is_restarted(enter: Any, running: Running):
    ada, bob = enter("admin"), enter("bob")
    say(ada, "before the restart")
    hears(bob, "before the restart")
    (server,) = [p for p in running.family() if p.cmdline()[-2:] == ["-m", "chatroom"]]
    server.kill()
    ada.wait_for_selector("#hc-state[data-state=down]", timeout=NEAR)
    picture(ada, "away")
    for page in (ada, bob):
        page.wait_for_selector("#hc-state[data-state=up]", timeout=NEAR)
    say(bob, "after the restart")
    hears(ada, "after the restart")


def test_a_fetch_becomes_a_card_that_turns_to_succeeded(enter: Any, site: int):
    ada, bob = enter("admin"), enter("bob")
    ada.fill("#hc-text", "/fe")
    ada.locator("#hc-text").press_sequentially("t")
    ada.locator("#hc-hints li", has_text="/fetch URL...").wait_for()
    ada.press("#hc-text", "Tab")
    assert ada.input_value("#hc-text") == "/fetch "
    say(ada, f"/fetch http://127.0.0.2:{site}/gzip/1 http://127.0.0.2:{site}/gzip/2")
    for page in (ada, bob):
        card = page.locator(".hc-card[data-tone=good]", has_text="succeeded").first
        card.wait_for(timeout=NEAR)
        assert "2 of 2 done" in card.inner_text()
        assert card.locator("a").get_attribute("href").startswith("/admin/tasks/job/")
    picture(ada, "fetch")
    phone = enter("bob", viewport={"width": 390, "height": 780}, color_scheme="dark")
    picture(phone, "phone")


def test_a_job_is_killed_from_the_room(enter: Any, running: Running):
    bob = enter("bob")
    # Nobody listens there, so the tries go on for long.
    nowhere = int(running.environment["HASHWORLD_FETCH_PORTS"])
    say(bob, f"/fetch http://127.0.0.99:{nowhere}/")
    card = bob.locator(".hc-card[data-tone=info]").last
    card.wait_for(timeout=NEAR)
    job = re.search(r"Job (\d+)", card.inner_text())
    assert job
    say(bob, f"/kill {job[1]}")
    bob.locator(f".hc-card:has-text('Job {job[1]} killed')").first.wait_for(timeout=NEAR)
    say(bob, "/kil 1")
    hears(bob, "did you mean /kill N?")
    say(bob, "/help")
    hears(bob, "/nodes")
    say(bob, "/nodes")
    bob.locator(".hc-card", has_text="1 node").first.wait_for(timeout=NEAR)
    picture(bob, "kill")
