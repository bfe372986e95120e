"""Names of a table's columns: whether they exist, which one was meant, and which ones must not be shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Literal, cast

from exactbuyer.exceptions import ConfigError
from exactbuyer.report.message import Message, Term, wrong
from exactbuyer.report.wording import nearest


def check_labels(
    names: list[Hashable],
    labels: Sequence[Hashable],
    index_names: Iterable[Hashable] = (),
    *,
    argument: Literal["by", "region"] = "by",
) -> None:
    """Checks that the columns to look up are there, each once.

    The message never repeats a label that is not there: it may be personal data, if a column was passed
    instead of its name.
    """
    for place, label in enumerate(labels, 1):
        count = names.count(label)
        if count == 1:
            continue
        if count:
            raise ConfigError(f"the table has {count} columns {label_for_message(label)}: rename all but one")
        which = f" (number {place} of {len(labels)})" if len(labels) > 1 else ""
        fix = _fix_of(names, label, index_names, argument)
        also = (
            [". If all rows have the same region, set ", Term("default_region")]
            if argument == "region"
            else []
        )
        raise wrong(argument, "names a column that the table lacks", which, fix, *also)


def matching_label(names: Iterable[Any], label: Any) -> Any:
    """The name that looks like the label; the label itself if no name does, or several do.

    Line breaks and no-break spaces count as spaces, and characters without width, such as a byte-order mark,
    are ignored.
    """
    there = list(names)
    if label in there or not isinstance(label, str):
        return label
    looks = _look(label)
    alike = [name for name in there if isinstance(name, str) and _look(name) == looks]
    return alike[0] if len(alike) == 1 else label


def _look(name: str) -> str:
    visible = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return " ".join(unicodedata.normalize("NFC", visible).split())


def _fix_of(names: list[Hashable], label: Hashable, index_names: Iterable[Hashable], argument: str) -> str:
    if argument == "by" and is_made_of(label, names):
        levels = "; a tuple is one label of several levels" if isinstance(label, tuple) else ""
        return Message(": ", Term("several_columns"), levels)
    if label in list(index_names):
        return ": it is the index: pass frame.reset_index()"
    near = nearest(names, label)
    if any(map(looks_personal, names)):
        if near is not None and not looks_personal(near):
            return f": did you mean {near!r}?"
        return (
            ", and the names that it has look like a person's: was it read without its header, as with "
            "pandas.read_csv(…, header=None)?"
        )
    meant = f": did you mean {near!r}?" if near is not None else "."
    some = ", ".join(map(repr, names[:_NAMED])) or "none at all"
    more = ", …" if len(names) > _NAMED else ""
    return f"{meant} Its columns: {some}{more}"


_NAMED = 20


def is_made_of(label: object, names: Sequence[Hashable]) -> bool:
    """Whether `label` consists of several of the names; case does not matter."""
    if isinstance(label, str):
        parts: Sequence[Hashable] = label.split(",") if "," in label else ()
    else:
        parts = cast("tuple[Hashable, ...]", label) if isinstance(label, tuple) else ()
    return bool(parts) and {*map(_in_any_case, parts)} <= {*map(_in_any_case, names)}


def _in_any_case(name: Hashable) -> Hashable:
    return _look(name).casefold() if isinstance(name, str) else name


def looks_personal(name: object) -> bool:
    """Whether the name of a column looks like something that stands in a column, and so may be a person's."""
    text = str(name)
    if "@" in text or "://" in text or "linkedin.com/" in text.casefold():
        return True
    is_number = sum(map(str.isdigit, text)) >= _DIGITS and text.upper() == text
    return is_number and _DATE.fullmatch(text) is None


_DIGITS = 7


_DATE = re.compile(r"(19|20)\d\d([-/.]?\d\d){1,2}([ T].*)?")
"""What tables that were turned round have for names."""


def label_for_message(label: object) -> str:
    """A column's label as a message may show it, after the word `column`."""
    return "whose name looks like a person's" if looks_personal(label) else repr(label)
