"""The core's kinds of errors and the classes they are raised as."""

from __future__ import annotations

import pytest

from exactbuyer import exceptions
from exactbuyer._core import Engine, error_classes
from exactbuyer.exceptions import ConfigError


def test_a_key_that_no_header_carries_is_refused_and_not_shown() -> None:
    engine = Engine({})
    for key in ["", "  ", "can\nary", "canäry"]:
        with pytest.raises(ConfigError, match=r"^the API key ") as told:
            engine.start(api_key=key)
        assert "can" not in str(told.value).replace("can carry", "")


def test_every_kind_of_error_has_its_class() -> None:
    named = {getattr(exceptions, name) for name in error_classes()}
    assert all(issubclass(known, exceptions.ExactBuyerError) for known in named)
    classes = {
        c
        for c in vars(exceptions).values()
        if isinstance(c, type) and issubclass(c, exceptions.ExactBuyerError)
    }
    assert classes - named == {exceptions.ExactBuyerError}
