"""The chatroom's page and the tickets that it asks for."""

import time

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from chatroom.core.tickets import verify
from chatroom.signing_in import Admin, SignInFailed
from hashworld.api import chat, tokens
from hashworld.api.models import Token
from hashworld.nodes import clock
from hashworld.verbs.rights import Scope
from tests.integration.people import make_groups

pytestmark = pytest.mark.django_db

PASSWORD = "a word of theirs"


@pytest.fixture
def operator(db: None) -> User:
    make_groups()
    user = User.objects.create_user("ada", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    return user


@pytest.fixture
def hers(operator: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    return client


def ask(client: Client) -> str:
    page = client.get(reverse("chat"))
    assert page.status_code == 200
    token = client.cookies["csrftoken"].value
    answer = client.post(reverse("chat-ticket"), headers={"X-CSRFToken": token})
    assert answer.status_code == 200, answer.content
    assert "no-cache" in answer["Cache-Control"]
    return str(answer.json()["ticket"])


def test_a_ticket_says_who_it_is_and_holds_a_token_that_may_not_make_others(
    hers: Client, operator: User
):
    claims = verify(ask(hers), chat.key(), time.time())
    assert (claims.id, claims.name, claims.groups) == (operator.pk, "ada", ("operator",))
    token = tokens.authenticate(claims.token)
    assert token.user == operator
    assert set(token.scopes) == {Scope.READ, Scope.SUBMIT, Scope.OPERATE}
    assert token.expires_at is not None
    left = (token.expires_at - clock.now()).total_seconds()
    assert claims.session < left < claims.session + 180


def test_tokens_that_are_over_do_not_pile_up(hers: Client, operator: User):
    ask(hers)
    Token.objects.update(expires_at=clock.now())
    kept, _ = tokens.issue(operator, "another", [Scope.READ])
    ask(hers)
    assert Token.objects.count() == 2
    assert Token.objects.filter(pk=kept.pk).exists()


def test_a_ticket_is_given_to_nobody_who_is_not_signed_in_as_staff(operator: User):
    stranger = Client()
    assert stranger.post(reverse("chat-ticket")).status_code == 302
    operator.is_staff = False
    operator.save()
    stranger.force_login(operator)
    assert stranger.post(reverse("chat-ticket")).status_code == 302
    assert not Token.objects.exists()


def test_another_sites_page_gets_no_ticket(hers: Client):
    assert hers.post(reverse("chat-ticket")).status_code == 403
    assert hers.get(reverse("chat-ticket")).status_code == 405


def test_who_is_in_no_group_gets_no_ticket_and_is_told_why(operator: User):
    operator.groups.clear()
    theirs = Client()
    theirs.force_login(operator)
    assert theirs.post(reverse("chat-ticket")).status_code == 403
    assert "in no group" in theirs.get(reverse("chat")).content.decode()


def test_the_page_says_where_the_chatroom_is_and_stands_in_the_navigation(hers: Client):
    page = hers.get(reverse("chat")).content.decode()
    assert 'data-port="8765"' in page
    assert 'type="module"' in page
    assert f'href="{reverse("chat")}"' in hers.get(reverse("admin:index")).content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_terminal_client_signs_in_and_gets_tickets(live_server, operator: User):
    admin = Admin(live_server.url, "ada", PASSWORD)
    first, second = (verify(admin.ticket(), chat.key(), time.time()) for _ in range(2))
    assert first.name == second.name == "ada"
    assert first.jti != second.jti
    assert admin.socket() == "ws://localhost:8765/ws/"
    with pytest.raises(SignInFailed, match="wrong name or password"):
        Admin(live_server.url, "ada", "another word").ticket()
