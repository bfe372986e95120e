"""Which engine a frame belongs to. No engine is imported to look."""

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
    from .spark import SparkFrame

    return SparkFrame(data)


_CLASSES = {("pyspark", "DataFrame"): "spark", ("dask", "DataFrame"): "dask", ("ray", "Dataset"): "ray"}
"""The class of each engine's frames, whatever module of the engine defines it."""


def _engine_of(data: object) -> str | None:
    for kind in type(data).__mro__:
        package = kind.__module__.partition(".")[0]
        package = "dask" if package == "dask_expr" else package
        engine = _CLASSES.get((package, kind.__name__))
        if engine is not None and "pandas" not in kind.__module__.split("."):
            return engine
    return None
