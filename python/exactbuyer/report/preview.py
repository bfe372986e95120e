"""A few rows of results as a table of people, if the user asks for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from .wording import LEFT, count

_WIDEST = 32


class Preview:
    """The first rows of results. A notebook shows it as a table; elsewhere, print it.

    Its repr shows no people, because a traceback or a log may contain the repr of anything.
    """

    def __init__(self, columns: Mapping[str, Sequence[object]], rows: int) -> None:
        self._columns = columns
        self._all_rows = rows
        self._rows = list(zip(*columns.values(), strict=True))

    def _title(self) -> str:
        return f"{len(self._rows):,} of {count(self._all_rows, 'row')}"

    def __repr__(self) -> str:
        return f"<Preview of {self._title()}: print it, or show it in a notebook>"

    def __str__(self) -> str:
        lines = [list(self._columns), *([_text(cell) for cell in row] for row in self._rows)]
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        table = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
        ]
        return "\n".join([self._title(), *(line.rstrip() for line in table)])

    def _repr_html_(self) -> str:
        head = "".join(f"<th {LEFT}>{escape(name)}</th>" for name in self._columns)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in self._rows)
        caption = f"<caption {LEFT}>{escape(self._title())}</caption>"
        table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        # A contact may be wider than the page.
        return f"<div style='overflow-x:auto'>{table}</div>"


def _cell(value: object) -> str:
    return f"<td {LEFT}>{'' if value is None else escape(str(value))}</td>"


def _text(value: object) -> str:
    """A cell of the text: without line breaks and what could control a terminal, and shortened."""
    given = "" if value is None else str(value)
    text = " ".join("".join(c if c.isprintable() else " " for c in given).split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
