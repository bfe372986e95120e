"""A frame of an engine that is enriched: the same steps for every engine.

1. The workers make the keys of the rows, and the distinct rows come to the caller.
2. The caller looks these up, as it does for any table.
3. Their answers are saved where the engine can read them.
4. The frame that is returned joins rows and answers by key. It is lazy, and costs nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exactbuyer._core import Rows
from exactbuyer._frames.joining import joined_or
from exactbuyer._frames.libraries import has_pyarrow, library
from exactbuyer._frames.table_input import BLOCK_ROWS, TableSource, TextRules, block_rows
from exactbuyer.exceptions import ConfigError
from exactbuyer.report.message import TABLE, said, wrong
from exactbuyer.report.results import Problem
from exactbuyer.report.wording import count
from exactbuyer.settings._checks import path_text

from .answers import Answers, Parts
from .spool import Spool
from .workers import Joiner, KeyMaker

if TYPE_CHECKING:
    from exactbuyer._frames.request import TableRequest
    from exactbuyer.report.plan import Plan
    from exactbuyer.settings import Settings

    from .frame import ClusterFrame

MOST_IN_MEMORY = 200_000
"""Distinct rows whose answers are kept at the caller if `answers` names no place for them."""


class ClusterInput(TableSource):
    """A frame of an engine, and what is wanted of it."""

    def __init__(
        self, frame: ClusterFrame, table_request: TableRequest, settings: Settings, answers: object = None
    ) -> None:
        self._path = checked_path(answers)
        self._block_rows = block_rows(settings.window_rows)
        if not has_pyarrow():
            raise ConfigError(
                "frames of a cluster need pyarrow at the caller and on the workers: pip install pyarrow"
            )
        self.frame = frame
        names = frame.names()
        super().__init__(names, table_request)
        self.table_request.check(names)
        keys = KeyMaker.of(self.table_request, TextRules(settings.default_region, settings.na_values))
        schema = library("pyarrow").schema(self.table)
        self.joiner = Joiner(keys, schema, tuple(self.dropped))
        # Fails here and not on a worker if the type of a column cannot be looked up.
        self.joiner(frame.empty(), None)
        self.spool = Spool(frame.distinct(keys))
        self.rows = self.spool.rows

    def prepare(self) -> None:
        """Prepares the place of the answers. Problems that would occur after they are paid for occur here.

        Raises:
            ConfigError: There are too many rows for memory, or the folder cannot be written.
            Exception: The engine's own, if it cannot join answers with the frame.
        """
        if self._path is None and len(self.spool) > MOST_IN_MEMORY:
            raise wrong(
                "answers",
                f"must name a folder: the frame has {len(self.spool):,} distinct rows, and the answers of at "
                f"most {MOST_IN_MEMORY:,} are kept in memory. Pass one that the workers can read, such as "
                f"answers='s3://bucket/answers'. Nothing was sent",
            )
        self.answers = Answers(self.frame, self.spool, self._path)
        # Lazy, but the engine looks at the columns.
        self.frame.joined(self.joiner, Parts([], None, []))
        try:
            self.answers.try_folder(self.joiner.nothing())
        except Exception as error:
            raise ConfigError(
                f"answers cannot be written to their folder (writing raised {type(error).__name__}): "
                f"correct the path or its permissions. Nothing was sent"
            ) from error

    def parts(self) -> Iterator[Rows]:
        """The distinct rows, block by block."""
        for asks, rows in self.spool.slices(self._block_rows):
            yield Rows.of_asks(asks, rows)

    def plan(self, plan_of: Callable[[Rows], Plan]) -> Plan:
        """The plan of all rows. These have no numbers: there is one problem for each reason."""
        pa = library("pyarrow")
        slices = list(self.spool.slices(BLOCK_ROWS))
        asks = pa.chunked_array([part.asks for part in slices], pa.string())
        counts = pa.chunked_array([part.rows for part in slices], pa.int64())
        plan = plan_of(Rows.of_asks(asks, counts))
        rows: Counter[str] = Counter()
        for problem in plan.problems:
            rows[said(problem.reason, TABLE)] += counts[problem.row].as_py()
        return replace(
            plan,
            problems=tuple(
                Problem(-1, "invalid", f"{reason} ({count(many, 'row')})") for reason, many in rows.items()
            ),
            suspects=tuple(suspect._replace(row=-1) for suspect in plan.suspects),
        )

    def done(self) -> Any:
        """The frame with its new columns, or the answers alone: see `unjoined`."""
        parts = self.answers.parts()
        instead = [
            ("a table of pyarrow with the answers to the distinct rows", lambda: _answers(parts)),
            ("the list of the files with the answers", lambda: _files(parts)),
        ]
        table, self.unjoined = joined_or(lambda: self.frame.joined(self.joiner, parts), instead)
        return table


def _answers(parts: Parts) -> Any:
    return library("pyarrow").concat_tables(parts.tables) if parts.folder is None else None


def _files(parts: Parts) -> Any:
    return library("pyarrow").table({"file": [f"{parts.folder}/{name}" for name in parts.names]})


def checked_path(answers: object) -> str | None:
    """The folder for answers, if it is one."""
    if answers is None:
        return None
    path = path_text(answers)
    if not path:
        raise wrong("answers", "must be the path or URL of a folder, such as 's3://bucket/answers'")
    # An @ alone is part of some addresses: abfs://container@account.dfs.core.windows.net
    if re.search(r"://[^/@]*:[^/]*@", path):
        raise wrong(
            "answers",
            "must not hold a password: it would be shown in the receipt. Give it to the file system, by its "
            "configuration or its environment variables",
        )
    return path
