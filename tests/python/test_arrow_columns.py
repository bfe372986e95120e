"""Columns of pyarrow's whose buffers Arrow's C interface cannot hand on as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from exactbuyer import BulkEnricher
from exactbuyer._frames.libraries import exportable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def enricher() -> Iterator[BulkEnricher]:
    with BulkEnricher.sandbox(default_region="US") as enricher:
        yield enricher


def misaligned(array: pa.Array) -> pa.Array:
    """The same array with buffers that begin one byte too late, as those that came out of a pickle may."""
    buffers = []
    for buffer in array.buffers():
        if buffer is not None:
            memory = memoryview(bytearray(buffer.size + 8))
            start = 1 - pa.py_buffer(memory).address % 8
            start += 8 if start < 0 else 0
            memory[start : start + buffer.size] = buffer.to_pybytes()
            buffer = pa.py_buffer(memory[start : start + buffer.size])  # noqa: PLW2901
            assert buffer.address % 8 == 1
        buffers.append(buffer)
    return pa.Array.from_buffers(array.type, len(array), buffers)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.int64()])
def test_buffers_may_begin_anywhere(enricher: BulkEnricher, kind: pa.DataType) -> None:
    cells = pa.array(["12015550123", None, "12015550124"], pa.string()).cast(kind)
    table = pa.table({"phone": misaligned(cells), "region": misaligned(pa.array(["US", "US", None]))})
    got = enricher.enrich_table(table, {"phone": "phone"}, region="region", columns=[])
    assert got["eb_status"][1].as_py() == "missing"
    assert "invalid" not in got["eb_status"].to_pylist()


def test_values_of_a_dictionary_may_begin_anywhere(enricher: BulkEnricher) -> None:
    values = misaligned(pa.array(["ana@acme.example", "?"]))
    mails = pa.DictionaryArray.from_arrays(misaligned(pa.array([0, 1, 0], pa.int32())), values)
    got = enricher.enrich_table(pa.table({"mail": mails}), "mail", columns=[])
    statuses = got["eb_status"].to_pylist()
    assert statuses[1] == "invalid"
    assert statuses[0] == statuses[2] != "invalid"


VIEWS = pa.array(["+12015550123", None], pa.string_view())


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (VIEWS, pa.large_string()),
        (pa.chunked_array([VIEWS, VIEWS]), pa.large_string()),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1]), VIEWS), pa.large_string()),
        (pa.array([["+12015550123"], None], pa.list_(pa.string_view())), pa.list_(pa.large_string())),
    ],
    ids=["view", "chunks", "dictionary", "lists"],
)
def test_older_releases_hand_views_on_as_text(
    column: Any, kind: pa.DataType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # They export views of short texts in a way that crashes whoever reads them.
    monkeypatch.setattr(pa, "__version__", "24.0.0")
    handed_on = exportable(column)
    assert handed_on.type == kind
    assert handed_on.to_pylist() == column.to_pylist()


@pytest.mark.parametrize(
    "wrap", [lambda table: table, lambda table: table.to_reader(1)], ids=["table", "reader"]
)
def test_views_can_be_looked_up(wrap: Callable[[Any], Any], enricher: BulkEnricher) -> None:
    got = pa.table(enricher.enrich_table(wrap(pa.table({"phone": VIEWS})), {"phone": "phone"}, columns=[]))
    assert got["eb_status"].to_pylist()[1] == "missing"
    assert got["phone"].type == pa.string_view()
