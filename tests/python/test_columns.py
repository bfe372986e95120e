"""Columns of other libraries are rows, cut into slices or taken whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exactbuyer import BulkEnricher

if TYPE_CHECKING:
    from collections.abc import Callable

    from exactbuyer import Result
    from exactbuyer.sandbox import Sandbox

EMAILS = [f"person{number}@acme.example" for number in range(25)] + [None]


def pandas_column() -> Any:
    pandas = pytest.importorskip("pandas")
    # Labels that are not positions: a slice by label would be another one.
    return pandas.Series(EMAILS, index=range(100, 126))


def polars_column() -> Any:
    return pytest.importorskip("polars").Series(EMAILS)


def arrow_column() -> Any:
    return pytest.importorskip("pyarrow").chunked_array([EMAILS[:3], EMAILS[3:]])


def numpy_column() -> Any:
    return pytest.importorskip("numpy").array(EMAILS, dtype=object)


@pytest.mark.parametrize("column", [pandas_column, polars_column, arrow_column, numpy_column])
def test_columns(
    everybody: Sandbox, run_call: Callable[..., list[Result]], column: Callable[[], Any]
) -> None:
    with BulkEnricher("any", base_url=everybody.url, chunk_size=10) as enricher:
        assert [row["value"] for row in run_call(enricher, column())] == EMAILS


def test_a_frame_is_told_to_give_one_column(
    everybody: Sandbox, run_call: Callable[..., list[Result]]
) -> None:
    frame = pytest.importorskip("pandas").DataFrame({"email": EMAILS})
    with (
        BulkEnricher("any", base_url=everybody.url) as enricher,
        pytest.raises(TypeError, match="one column"),
    ):
        run_call(enricher, frame)


def test_floats_that_lost_digits_are_not_asked_for(
    everybody: Sandbox, run_call: Callable[..., list[Result]]
) -> None:
    numpy = pytest.importorskip("numpy")
    how = {"on_error": "record"} if "enrich" in run_call.__name__ else {}
    with BulkEnricher("any", base_url=everybody.url, default_region="US") as enricher:
        rows = run_call(enricher, numpy.array([7_734_749_362], dtype="float32"), field_type="phone", **how)
        assert [row["status"] for row in rows] == ["invalid"]
