"""Reads data through Arrow's C interface, and explains what cannot be read."""

from __future__ import annotations

from exactbuyer._core import ArrowInput, Batches


def arrow_input(data: object) -> ArrowInput:
    """What hands its rows on by Arrow's C interface, opened.

    Raises:
        TypeError: What it hands on is no table.
    """
    try:
        return ArrowInput(data)
    except ValueError as trouble:
        raise TypeError(
            f"data is of type {type(data).__name__}, and hands on Arrow data that is no table ({trouble}): "
            f"pass a table, and the name of its column as by"
        ) from None
    except MemoryError:
        raise
    except Exception as trouble:  # noqa: BLE001 - whatever the other side says
        raise _unreadable(data, trouble) from None


def arrow_table(data: object) -> Batches:
    """What hands its rows on by Arrow's C interface, read whole.

    Raises:
        TypeError: What it hands on is no table, or cannot be read.
    """
    source = arrow_input(data)
    try:
        return Batches.concat(source, list(source))
    except MemoryError:
        raise
    except Exception as trouble:  # noqa: BLE001 - whatever the other side says
        raise _unreadable(data, trouble) from None


def _unreadable(data: object, trouble: Exception) -> TypeError:
    # What the trouble says is somebody else's words, and may quote what is in the table.
    return TypeError(
        f"data is of type {type(data).__name__}, and what it hands on by Arrow's C interface cannot be read "
        f"({type(trouble).__name__}): make it a table of pandas, polars or pyarrow first"
    )
