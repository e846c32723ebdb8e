"""The REST door under thousands of cases that schemathesis makes of its own description.

No answer is a fault of the server, and none is one that the description does not tell of.
`make fuzz-api` runs it alone; HASHWORLD_TEST_API_CASES says how many cases, of all routes together.
"""

import os
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from hashworld.api import tokens
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.submit import submit
from hashworld.verbs.rights import Scope

CASES = int(os.environ.get("HASHWORLD_TEST_API_CASES", "5000"))
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_no_case_finds_a_fault_or_an_answer_that_is_not_described(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashworld.nodes.control.PATIENCE", 0.01)
    monkeypatch.setattr("hashworld.api.watching.LONGEST", 0.01)
    monkeypatch.setattr("hashworld.api.watching.STREAM", 0.01)
    monkeypatch.setattr("hashworld.api.watching._pause", lambda seconds: None)
    owner = User.objects.create_superuser("root")
    _, secret = tokens.issue(owner, "fuzz", list(Scope))
    submit(["https://example.com/"], JobSpec(name="One", tags=("a",)), owner)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
    operations = [found.ok() for found in schema.get_all_operations()]
    each = max(1, -(-CASES // len(operations)))
    made = 0
    for operation in operations:
        made += _fuzz(operation, secret, each)
    assert made >= CASES


def _fuzz(operation: Any, secret: str, cases: int) -> int:
    made = 0

    @hypothesis.settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy())
    def run(case: Any) -> None:
        nonlocal made
        made += 1
        headers = {"Authorization": f"Bearer {secret}", "Host": "localhost"}
        case.call_and_validate(headers=headers, checks=CHECKS)

    run()
    return made
