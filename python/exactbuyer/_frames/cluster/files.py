"""Parts of answers as Parquet files, for engines whose workers run Python. Any file system of fsspec."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from exactbuyer._frames.libraries import library

ROWS_OF_A_GROUP = 1_024
"""What is read at least: parts are in order of the partitions, and each partition reads only its own rows."""


def absolute(folder: str) -> str:
    """The same folder for a worker that runs elsewhere on this machine."""
    return folder if "://" in folder or "::" in folder else os.path.abspath(folder)  # noqa: PTH100 - a text


def write_part(folder: str, name: str, answers: Any) -> None:
    """Writes a table under this name, and replaces one that is there."""
    files, root = library("fsspec").core.url_to_fs(folder)
    files.makedirs(root, exist_ok=True)
    with files.open(f"{root}/{name}.parquet", "wb") as file:
        library("pyarrow.parquet").write_table(
            answers, file, compression="zstd", row_group_size=ROWS_OF_A_GROUP
        )


def read_rows(folder: str | None, names: Sequence[str], column_in: tuple[str, Any]) -> Any:
    """The rows of these parts whose value in a column is among these; `None` if there are no parts."""
    if folder is None or not names:
        return None
    files, root = library("fsspec").core.url_to_fs(folder)
    column, values = column_in
    paths = [f"{root}/{name}.parquet" for name in names]
    dataset = library("pyarrow.dataset").dataset(paths, format="parquet", filesystem=files)
    wanted = library("pyarrow.compute").field(column).isin(values)
    # One thread: the engine decides how many partitions are read at a time.
    return dataset.to_table(filter=wanted, use_threads=False)
