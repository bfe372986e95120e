"""Which objects are frames of a cluster. No engine is needed to tell."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from exactbuyer import BulkEnricher
from exactbuyer._frames.cluster.detect import is_cluster_frame


def frame_named(module: str, name: str) -> Any:
    """An object of a class of this name."""
    return type(name, (), {"__module__": module})()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("pyspark.sql.dataframe", "DataFrame"),
        ("pyspark.sql.classic.dataframe", "DataFrame"),
        ("pyspark.sql.connect.dataframe", "DataFrame"),
        ("dask.dataframe.dask_expr._collection", "DataFrame"),
        ("dask_expr._collection", "DataFrame"),
        ("ray.data.dataset", "Dataset"),
    ],
)
def test_a_frame_is_known_by_its_class(module: str, name: str) -> None:
    frame = frame_named(module, name)
    assert is_cluster_frame(frame)
    assert is_cluster_frame(type("Mine", (type(frame),), {})())


def test_other_objects_are_not_frames_of_a_cluster() -> None:
    rows = pa.table({"mail": ["ana@acme.example"]})
    for other in (rows, rows.to_pandas(), [1], None, frame_named("dask.array.core", "Array")):
        assert not is_cluster_frame(other)
    with BulkEnricher.sandbox() as people, pytest.raises(TypeError, match=r"to_spark\(\)"):
        people.enrich_table(frame_named("pyspark.pandas.frame", "DataFrame"), "mail")
