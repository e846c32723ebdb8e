"""Tests here may be coroutines."""

import pytest

from tests.chatting import run_async


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    return run_async(pyfuncitem) or None
