"""Signatures are those of the specification; its public library is the judge."""

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from hashworld.webhooks import signature


def test_the_library_takes_what_is_signed() -> None:
    secret, now = signature.new_secret(), int(time.time())
    headers = signature.headers("msg_1", now, '{"a":"ü"}', [secret])
    assert Webhook(secret).verify('{"a":"ü"}', headers) == {"a": "ü"}


def test_the_library_refuses_another_body_id_time_or_secret() -> None:
    secret, now = signature.new_secret(), int(time.time())
    good = signature.headers("msg_1", now, "{}", [secret])
    for body, headers, key in (
        ("[]", good, secret),
        ("{}", good | {"webhook-id": "msg_2"}, secret),
        ("{}", good | {"webhook-timestamp": str(now + 1)}, secret),
        ("{}", good, signature.new_secret()),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body, headers)


def test_the_signature_is_the_specifications_example() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    payload = '{"test": 2432232314}'
    signed = signature.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, payload, secret)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_of_two_secrets_each_is_good() -> None:
    old, new, now = signature.new_secret(), signature.new_secret(), int(time.time())
    headers = signature.headers("msg_1", now, "{}", [new, old])
    for secret in (old, new):
        Webhook(secret).verify("{}", headers)


def test_a_secret_has_as_many_bytes_as_the_specification_asks_for() -> None:
    secret = signature.new_secret()
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret[6:])) <= 64
