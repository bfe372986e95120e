"""The exceptions: a tree with natural parents, that survives pickling with what was paid for."""

from __future__ import annotations

import pickle

import pytest

import exactbuyer
from exactbuyer import (
    BulkEnricher,
    ConfigError,
    ExactBuyerError,
    IncompleteWarning,
    InvalidIdentifierError,
    Problem,
    Receipt,
    Results,
    _core,
)
from exactbuyer.exceptions import Interrupted

CLASSES = [
    value
    for value in vars(exactbuyer).values()
    if isinstance(value, type) and issubclass(value, ExactBuyerError)
]


def test_the_core_knows_the_same_classes() -> None:
    named = set(_core._lists()["ErrorKind"])  # pyright: ignore[reportPrivateUsage]
    assert named == {kind.__name__ for kind in CLASSES} - {"ExactBuyerError"}
    assert len(named) == 12


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_survives_pickling(kind: type[ExactBuyerError]) -> None:
    results = Results([{"value": "a", "enriched_contact": None, "status": "missing"}])
    error = kind("what to do next", status=418, results=results, receipt=Receipt(rows=1))
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is kind
    assert str(twin) == "what to do next"
    assert (twin.status, twin.results, twin.receipt) == (418, results, Receipt(rows=1))


def test_natural_parents() -> None:
    parents = {kind.__name__: kind.__bases__[-1] for kind in CLASSES}
    assert parents["ConfigError"] is parents["InvalidIdentifierError"] is ValueError
    assert parents["TransportError"] is parents["StoreError"] is OSError
    assert parents["AuthenticationError"] is exactbuyer.ApiError


def test_invalid_rows_are_named_after_pickling_too() -> None:
    error = InvalidIdentifierError("no", problems=[Problem(3, "invalid", "no @")])
    twin = pickle.loads(pickle.dumps(error))
    assert twin.problems == twin.errors == [Problem(3, "invalid", "no @")]


def test_an_error_before_a_call_has_empty_results() -> None:
    with pytest.raises(ConfigError) as caught:
        BulkEnricher(max_credits=-1)
    error = caught.value
    assert (error.results, error.receipt, error.table) == ([], Receipt(), None)
    assert error.results is error.results
    twin = pickle.loads(pickle.dumps(error))
    assert (twin.results, twin.receipt) == ([], Receipt())
    assert BulkEnricher().last_receipt == Receipt()
    # Not the same as no rows: nobody knows them yet.
    assert (Interrupted().results, Interrupted().receipt) == (None, Receipt())


def test_ctrl_c_is_still_ctrl_c() -> None:
    error = Interrupted("stopped", results=Results(), receipt=Receipt())
    assert isinstance(error, KeyboardInterrupt)
    assert not isinstance(error, Exception)
    assert pickle.loads(pickle.dumps(error)).receipt == Receipt()
    assert issubclass(IncompleteWarning, UserWarning)
