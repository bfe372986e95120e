"""What the tests need of an engine. It runs on this machine, with two workers in processes of their own."""

from __future__ import annotations

import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

WORKERS = 2

CODEC = "zstd"
"""Of Parquet files. Spark cannot load its Snappy on a machine that also has the C library musl."""


def read_flag(flag: str) -> list[str]:
    """The rows of a source that gives what stands in a file at the moment."""
    return Path(flag).read_text().split()


def fetched(url: str) -> bytes:
    """A page of an engine's web interface on this machine."""
    with urllib.request.urlopen(url, timeout=60) as page:
        body: bytes = page.read()
    return body


class Engine:
    """An engine under test."""

    name: str
    folder: Path
    """Where it logs."""
    process_mark: str
    """What the command line of a worker's process has."""

    def start(self, folder: Path) -> None:
        """Starts it; what it logs is in this folder."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ends it."""
        raise NotImplementedError

    def frame(self, folder: Path, partitions: int) -> Any:
        """The Parquet files of a folder as a frame."""
        raise NotImplementedError

    def rows(self, frame: Any) -> Any:
        """Computes a frame."""
        raise NotImplementedError

    def actions(self, frame: Any, folder: Path) -> int:
        """Does with a frame what people do; returns the number of rows that each action saw, if all agree."""
        raise NotImplementedError

    def changing(self, flag: Path) -> Any:
        """A frame whose rows are what `read_flag` gives whenever it is computed."""
        raise NotImplementedError

    def environments(self) -> list[dict[str, str]]:
        """The environment of each worker."""
        raise NotImplementedError

    def pages(self) -> dict[str, bytes]:
        """What its web interface shows, by address."""
        return {}

    def logs(self) -> list[Path]:
        """The folders with what it logs."""
        return [self.folder]

    def cancel_all(self) -> None:
        """Cancels all that runs."""

    def is_worker(self, command: str) -> bool:
        """Whether a process with this command line is a worker."""
        return self.process_mark in command

    def kill_a_worker(self) -> bool:
        """Kills a process of a worker; whether there was one."""
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if self.is_worker(" ".join(process.cmdline())):
                    process.kill()
                    return True
        return False
