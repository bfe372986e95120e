"""Which engine a frame belongs to. No engine is imported to find that out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .frame import ClusterFrame


def is_cluster_frame(data: object) -> bool:
    """Whether it is a frame of Spark, Dask or Ray."""
    return _engine_of(data) is not None


def cluster_frame_of(data: object) -> ClusterFrame:
    """The frame, as what it is. Only if it is one."""
    engine = _engine_of(data)
    if engine == "dask":
        from .dask import DaskFrame

        return DaskFrame(data)
    if engine == "ray":
        from .ray import RayFrame

        return RayFrame(data)
    if engine == "pandas on spark":
        raise TypeError(
            "data is a frame of pandas on Spark: pass data.to_spark(), and by names of its columns"
        )
    from .spark import SparkFrame

    return SparkFrame(data)


def _engine_of(data: object) -> str | None:
    for kind in type(data).__mro__:
        package, *modules = kind.__module__.split(".")
        name = kind.__name__
        if name == "DataFrame" and package in {"dask", "dask_expr"}:
            return "dask"
        if name == "Dataset" and package == "ray":
            return "ray"
        if name == "DataFrame" and package == "pyspark":
            return "pandas on spark" if "pandas" in modules else "spark"
    return None
