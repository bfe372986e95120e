"""The pytest plugin of a canary run: writes down what pytest, or a test, would have kept to itself."""

from __future__ import annotations

import functools
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from sitecustomize import be_asked_first, look_at_exception, write_down

if TYPE_CHECKING:
    import warnings
    from collections.abc import Callable

# pytest imports the plugins of what is installed by itself, but only after this one.
be_asked_first()


def pytest_configure() -> None:
    """Listens to what tests take for themselves: captured output, and that of processes they start."""
    fixture: Any = pytest.CaptureFixture
    fixture.readouterr = heard("output", fixture.readouterr)
    popen: Any = subprocess.Popen
    popen.communicate = heard("subprocess", popen.communicate)
    expected: Any = type(pytest.raises(Exception))
    expected.__exit__ = seen(expected.__exit__)


def pytest_exception_interact(call: pytest.CallInfo[Any]) -> None:
    """Looks at an exception that a test raised and did not expect."""
    if call.excinfo is not None:
        look_at_exception(call.excinfo.value)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What a test printed and logged, also where it passed."""
    for name, text in report.sections:
        write_down("output", f"{report.nodeid} {name} {text}")
    write_down("output", report.longreprtext)


def pytest_warning_recorded(warning_message: warnings.WarningMessage) -> None:
    """What a test was warned of."""
    write_down("output", f"{warning_message.message!r} {warning_message.line}")


def heard(kind: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with both texts of the pair that it returns written down."""

    @functools.wraps(original)
    def told(*args: Any, **how: Any) -> Any:
        out, err = pair = original(*args, **how)
        for text in (out, err):
            write_down(kind, text or "")
        return pair

    return told


def seen(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps an `__exit__` method, to look at the frames of the exception that ended the block."""

    @functools.wraps(original)
    def leave(self: Any, kind: Any, error: BaseException | None, trace: Any) -> Any:
        look_at_exception(error)
        return original(self, kind, error, trace)

    return leave
