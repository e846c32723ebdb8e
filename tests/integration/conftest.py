"""Integration tests drive the core by hand: nothing dispatches behind their backs."""

import pytest

from hashworld.tasks import dispatcher, requests


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "nudge", lambda node_id=None: None)
    # Job ids begin again at 1 in every test.
    requests.options.cache_clear()
