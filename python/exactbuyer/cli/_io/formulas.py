"""Keeps spreadsheets from reading added text as formulas. Knows nothing of files.

A spreadsheet splits a line of CSV at its own list separator, which depends on the language of its system
and may be `;` in a file with commas, or a comma in one with `;`. Quotes do not help then: they count only at
the beginning of a cell. So every part of a text between such characters is treated as a cell. Quotes help in
one case only: at the comma, if it is the file's delimiter.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from exactbuyer._frames.libraries import arrow_table
from exactbuyer.cli.exit_codes import UsageError

from .files import require

if TYPE_CHECKING:
    from exactbuyer._core import Batches

_STARTS = frozenset("=+-@＝＋－＠")
"""What a formula begins with; some spreadsheets read the full-width forms, too."""
_SEPARATORS = r";\t\r\n"
_NUMBER = re.compile(r"\+[0-9]{2,15}|-[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[\]}]*")
"""A phone number in E.164 form, or a negative number, also the last one in an array or object of JSON."""
_SUSPECT = r"(?:^|[{}])[\pZ\pC\"]*[=+\-@＝＋－＠]"
"""Any text that may have to be changed has this."""


def defused(block: Batches, delimiter: str) -> Batches:
    """The columns with an apostrophe before each part of a text that a spreadsheet may read as a formula.

    `delimiter` is that of the file.
    """
    pyarrow, compute = require("pyarrow", "--excel-safe"), require("pyarrow.compute", "--excel-safe")
    table, is_changed = pyarrow.table(block), False
    suspect = _SUSPECT.replace("{}", _separators(delimiter))
    for index, field in enumerate(table.schema):
        column = table.column(index).combine_chunks()
        is_list = pyarrow.types.is_list(column.type)
        texts = column.flatten() if is_list else column
        if not pyarrow.types.is_string(texts.type) and not pyarrow.types.is_large_string(texts.type):
            continue
        if not compute.any(compute.match_substring_regex(texts, suspect)).as_py():
            continue
        values = [_defused(value, delimiter) for value in column.to_pylist()]
        table, is_changed = table.set_column(index, field, pyarrow.array(values, column.type)), True
    return arrow_table(table) if is_changed else block


def _defused(value: str | list[str | None] | None, delimiter: str) -> Any:
    if isinstance(value, list):
        return [_defused(text, delimiter) for text in value]
    return None if value is None else defused_text(value, delimiter)


def defused_text(text: str, delimiter: str) -> str:
    """A text with an apostrophe before each part that a spreadsheet may read as a formula, as above."""
    parts = re.split(f"([{_separators(delimiter)}])", text)
    return "".join(f"'{part}" if _is_formula(part) else part for part in parts)


def _separators(delimiter: str) -> str:
    return _SEPARATORS if delimiter == "," else f",{_SEPARATORS}"


def _is_formula(part: str) -> bool:
    """Whether it begins a formula, after what spreadsheets skip. A plain number does not."""
    first = next((letter for letter in part if not _is_skipped(letter)), "")
    return first in _STARTS and _NUMBER.fullmatch(part) is None


def _is_skipped(letter: str) -> bool:
    # Blanks, characters without width, control characters, and quotes.
    return letter == '"' or unicodedata.category(letter)[0] in "ZC"


_ANY_DELIMITER = ";"
"""With this delimiter, every separator is checked."""


def check_names(names: list[str]) -> None:
    """Refuses names of added columns that a spreadsheet may read as formulas: another name is better."""
    for name in names:
        if defused_text(name, _ANY_DELIMITER) != name:
            raise UsageError(
                f"--excel-safe: a spreadsheet would read the name of the added column {name!r} as a formula: "
                f"choose another --prefix or --column"
            )
