"""The core's kinds of errors and the classes they are raised as."""

from __future__ import annotations

from traceback import TracebackException
from typing import Any

import pytest

from exactbuyer import BulkEnricher, _core, exceptions
from exactbuyer._core import Engine
from exactbuyer.exceptions import ConfigError


def test_a_key_that_no_header_carries_is_refused_and_not_shown() -> None:
    engine = Engine({})
    for key in ["", "  ", "can\nary", "canäry"]:
        with pytest.raises(ConfigError, match=r"^the API key ") as told:
            engine.start(api_key=key)
        assert "can" not in str(told.value).replace("can carry", "")


@pytest.mark.parametrize("key", ["canary-0123\n", "canary-0123 é", b"canary-0123"])
@pytest.mark.parametrize("is_given", [True, False])
def test_a_refused_key_is_not_among_the_locals_of_a_traceback(
    key: Any, monkeypatch: pytest.MonkeyPatch, *, is_given: bool
) -> None:
    # As services that collect errors record them. A line end the environment's key may have.
    text = key if isinstance(key, str) else "canary-0123é"
    monkeypatch.setenv("EXACTBUYER_API_KEY", text.replace("\n", "é"))
    given = [key] if is_given else []
    with pytest.raises(ConfigError) as told:
        BulkEnricher(*given, base_url="http://127.0.0.1:9").enrich(["ana@acme.example"])
    frames = TracebackException.from_exception(told.value, capture_locals=True).stack
    ours = [frame for frame in frames if "exactbuyer" in frame.filename and "tests" not in frame.filename]
    assert ours
    assert "canary" not in "".join(str(frame.locals) for frame in ours)


def test_every_kind_of_error_has_its_class() -> None:
    names = _core._lists()["ErrorKind"]  # pyright: ignore[reportPrivateUsage]
    named = {getattr(exceptions, name) for name in names}
    assert all(issubclass(known, exceptions.ExactBuyerError) for known in named)
    classes = {
        c
        for c in vars(exceptions).values()
        if isinstance(c, type) and issubclass(c, exceptions.ExactBuyerError)
    }
    assert classes - named == {exceptions.ExactBuyerError}
