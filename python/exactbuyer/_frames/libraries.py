"""Which data-frame library an object belongs to. A library is imported only when its object is passed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any


def as_kind(kind: type[Any], batches: Any) -> Any:
    """The batches as this kind of thing, where it can be made of them; else as they are."""
    make = getattr(kind, "from_arrow", None)
    return make(batches) if callable(make) else batches


def library(name: str) -> Any:
    """pandas, polars or pyarrow, as a module without types: one of its tables has come along."""
    return import_module(name)


def has_pyarrow() -> bool:
    """Whether pyarrow can be imported."""
    return find_spec("pyarrow") is not None


def home_of(data: object) -> str:
    """Which of the three libraries its class comes from, or is derived from; `""` if none."""
    for kind in type(data).__mro__:
        home = kind.__module__.partition(".")[0]
        if home in {"pandas", "polars", "pyarrow"}:
            return home
    return ""
