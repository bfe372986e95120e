"""The distinct rows of a frame of a cluster, as the caller keeps them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from exactbuyer._frames.cluster.spool import Spool
from exactbuyer._frames.cluster.workers import distinct_schema


def partition(numbers: list[int]) -> Any:
    """The distinct rows of a partition; each stands for two rows."""
    columns = {
        "key": [number.to_bytes(16, "little") for number in numbers],
        "asks": [f"asks {number}" for number in numbers],
        "rows": [2] * len(numbers),
    }
    return pa.table(columns, schema=distinct_schema())


@pytest.mark.parametrize("size", [1, 7, 30, 1_000])
def test_slices_are_full_however_small_the_partitions_are(size: int) -> None:
    # Each partition has two rows of its own, and one that the next one has, too.
    partitions = [[3 * at, 3 * at + 1, 3 * at + 3] for at in range(20)]
    spool = Spool((at, partition(numbers)) for at, numbers in enumerate(partitions))
    slices = list(spool.slices(size))
    in_order = list(dict.fromkeys(number for numbers in partitions for number in numbers))
    assert [text for part in slices for text in part.asks.to_pylist()] == [f"asks {n}" for n in in_order]
    assert all(len(part) == size for part in slices[:-1])
    rows = [many for part in slices for many in part.rows.to_pylist()]
    assert rows == [4 if number % 3 == 0 and 0 < number < 60 else 2 for number in in_order]
    assert spool.rows == sum(rows) == 120
    assert spool.keys(0, 2).to_pylist() == [(number).to_bytes(16, "little") for number in (0, 1)]
    places, where = spool.partitions_of(0, len(spool))
    found = {at: [in_order[place] for place in places[where == at]] for at in range(20)}
    assert {at: sorted(numbers) for at, numbers in found.items()} == dict(enumerate(partitions))


def test_a_spool_may_be_empty() -> None:
    spool = Spool([(0, partition([]))])
    assert (len(spool), spool.rows, list(spool.slices(10))) == (0, 0, [])
