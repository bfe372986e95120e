"""Arrow tables as bytes: small on the way between caller and workers, and understood by every engine."""

from __future__ import annotations

from typing import Any

from exactbuyer._frames.libraries import library


def packed(table: Any) -> bytes:
    """A table or record batch, compressed."""
    pa = library("pyarrow")
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        stream.write(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def unpacked(data: bytes | bytearray) -> Any:
    """The table of these bytes."""
    return library("pyarrow").ipc.open_stream(library("pyarrow").py_buffer(data)).read_all()
