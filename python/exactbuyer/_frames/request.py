"""Which columns a table gets: the default columns, which are frozen, and the caller's own.

Owns the checks of `by`, `columns`, `prefix`, `split` and `region`. Knows nothing of the kind of table.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from exactbuyer._core import DEFAULT_COLUMNS as CORE_DEFAULT_COLUMNS
from exactbuyer._core import FIXED_COLUMNS as CORE_FIXED_COLUMNS
from exactbuyer._core import Table
from exactbuyer.exceptions import ConfigError
from exactbuyer.field_types import FIELD_TYPES, FieldType
from exactbuyer.report.message import TABLE, Message, Term, of_table, wrong
from exactbuyer.report.wording import as_given
from exactbuyer.settings._checks import check_text

from .labels import check_labels, label_for_message, looks_personal, matching_label
from .libraries import home_of

if TYPE_CHECKING:
    from exactbuyer.report.columns import ColumnCount

By: TypeAlias = "str | int | Sequence[Hashable] | Mapping[Any, FieldType | None]"
"""The columns to look up: a name, names in order of preference, or names with their field types.

A number is the name of a column without a header in pandas; a tuple is one name of several levels.
"""

ColumnPath: TypeAlias = "str | tuple[str, Any]"
"""The path of a column's values in a contact, and optionally their type (a name, or an Arrow type)."""

Split: TypeAlias = "str | Iterable[str] | Mapping[Any, str | Iterable[str]]"
"""The separators between several values of one cell: for all columns in `by`, or by column."""

Columns: TypeAlias = "Mapping[str, ColumnPath] | Iterable[str]"
"""The columns to add: names from `DEFAULT_COLUMNS`, or names with their paths."""

FIXED_COLUMNS: tuple[str, ...] = tuple(CORE_FIXED_COLUMNS)
"""The columns that are added to every table first. The names are without the prefix."""

DEFAULT_COLUMNS: Mapping[str, ColumnPath] = MappingProxyType(
    {name: path if kind is None else (path, kind) for name, path, kind in CORE_DEFAULT_COLUMNS}
)
"""The columns that are added by default, with their paths. They are frozen within a major version."""


@dataclass(frozen=True, slots=True)
class TableRequest:
    """The arguments of a call that concern a table, checked.

    Attributes:
        by: The labels of the columns to look up, in order of preference, each with its field type.
        prefix: Stands before the name of every column that is added.
        columns: For each column to add: its name, its path and its type.
        marks: For each column to look up, the marks between several values of one cell.
        region: The label of the column that says where a row's phone numbers are from.
        words: The words for reasons in the column of reasons.
    """

    by: tuple[tuple[Any, FieldType | None], ...]
    prefix: str
    columns: tuple[tuple[str, str, Any], ...]
    marks: tuple[tuple[str, ...], ...]
    region: Any = None
    words: Mapping[str, str] = field(default_factory=lambda: TABLE)

    @classmethod
    def checked(
        cls,
        by: object,
        columns: object,
        prefix: object,
        split: object,
        field_type: FieldType | None,
        *,
        region: object = None,
        words: Mapping[str, str] = TABLE,
    ) -> TableRequest:
        """Checks them; a `ConfigError` names what is wrong."""
        if not isinstance(prefix, str):
            raise wrong("prefix", f"must be a string such as 'eb_'; got {as_given(prefix)}")
        check_text("prefix", prefix)
        own = _columns(columns)
        for name, path, _ in own:
            check_text("columns", name, path)
        labels = _by(by, field_type)
        check_text("by", *(str(label) for label, _ in labels))
        marks = _marks(split, [label for label, _ in labels])
        check_text("split", *(mark for each in marks for mark in each))
        return cls(labels, prefix, own, marks, _region(region), words)

    def resolved_in(self, names: Iterable[Hashable]) -> TableRequest:
        """The same, with the names in `by` and `region` replaced by the table's names that look the same."""
        there = list(names)
        by = tuple((matching_label(there, label), kind) for label, kind in self.by)
        return replace(self, by=by, region=matching_label(there, self.region))

    def check(self, names: list[Hashable], index_names: Iterable[Hashable] = ()) -> None:
        """Checks that the table has each of the columns to read, once."""
        index = list(index_names)
        check_labels(names, [label for label, _ in self.by], index)
        if self.region is not None:
            check_labels(names, [self.region], index, argument="region")

    @property
    def labels(self) -> list[Any]:
        """The labels of the columns that are read, each once."""
        region = [] if self.region is None else [self.region]
        return list(dict.fromkeys([*(label for label, _ in self.by), *region]))

    @property
    def split(self) -> dict[Any, tuple[str, ...]] | None:
        """The marks by column, as `split` takes them."""
        marks = zip(self.by, self.marks, strict=True)
        return {label: marks for (label, _), marks in marks if marks} or None

    @property
    def own_paths(self) -> dict[str, str]:
        """The paths of the caller's own columns: those that are not out of `DEFAULT_COLUMNS`."""
        usual = {name: path for name, path, _ in CORE_DEFAULT_COLUMNS}
        return {name: path for name, path, _ in self.columns if usual.get(name) != path}

    def table(self, *, large_text: bool = False) -> Table:
        """An empty table of these columns; with `large_text`, columns of text have 64-bit offsets."""
        by = [str(label) for label, _ in self.by]
        return Table(list(self.columns), prefix=self.prefix, by=by, large_text=large_text, words=self.words)

    def named(self, columns: Iterable[ColumnCount]) -> tuple[ColumnCount, ...]:
        """The counts of the columns in `by`, with their names, and reasons in the words for tables."""
        return tuple(
            column._replace(
                column=self._name(int(column.column)),
                reasons=tuple((of_table(reason), cells) for reason, cells in column.reasons),
            )
            for column in columns
        )

    def _name(self, number: int) -> str:
        label, _ = self.by[number]
        return f"number {number + 1} of by" if looks_personal(label) else str(label)

    def replaced(
        self,
        names: Iterable[Hashable],
        added: Iterable[str],
        before: Iterable[str],
        label: Callable[[str], Hashable] = str,
    ) -> list[Any]:
        """The columns of an earlier call that this one replaces.

        Returns:
            The labels of the columns to drop, in the table's order.

        Raises:
            ConfigError: A column would be replaced that is not of an earlier call, or is to be looked up.
        """
        there = list(names)
        to_add = list(added)
        ours = set(map(label, before))
        fixed = {label(self.prefix + name) for name in FIXED_COLUMNS}
        if not ours and fixed <= set(there):
            # Not every kind of table can say what was added: all of the fixed columns together do.
            ours = fixed | set(map(label, to_add))
            if self.prefix:
                # Without a prefix, a default column that this call does not add may be the caller's own.
                ours.update(label(self.prefix + name) for name in DEFAULT_COLUMNS)
        clash = [name for name in to_add if label(name) in there and label(name) not in ours]
        if clash:
            raise ConfigError(
                Message(
                    f"the table has a column {clash[0]!r} already, and not from an earlier call: pass ",
                    "another ",
                    Term("prefix"),
                    ", such as 'found_'. Nothing was sent",
                )
            )
        dropped = [name for name in there if name in ours]
        read = [("by", label) for label, _ in self.by] + [("region", self.region)]
        for argument, replaced in read:
            if replaced in dropped:
                raise wrong(
                    argument,
                    f"names {replaced!r}, a column of an earlier call that this one would replace: "
                    "pass another ",
                    Term("prefix"),
                    ", such as 'eb2_'. Nothing was sent",
                )
        return dropped


def _by(by: object, field_type: FieldType | None) -> tuple[tuple[Any, FieldType | None], ...]:
    labels: list[tuple[Any, FieldType | None]]
    if by is None:
        raise wrong("by", "is None: pass the name of the column to look up")
    if isinstance(by, (set, frozenset)):
        raise wrong("by", "is a set, whose order varies: pass a list, in order of preference")
    if _is_column(by):
        name = getattr(by, "name", None)
        known = isinstance(name, str) and name and not looks_personal(name)
        raise wrong("by", f"must be a column's name, not the column itself: by={name if known else 'mail'!r}")
    if isinstance(by, Mapping):
        given = cast("Mapping[Any, object]", by)
        labels = [
            (label, _own_type(kind, place, len(given)) or field_type)
            for place, (label, kind) in enumerate(given.items(), 1)
        ]
    elif isinstance(by, (str, tuple)) or not isinstance(by, Iterable):
        # A tuple is one label of several levels, as pandas has them.
        labels = [(by, field_type)]
    else:
        labels = [(label, field_type) for label in cast("Iterable[object]", by)]
    if not labels:
        raise wrong("by", "names no column: pass the name of the column to look up")
    try:
        unique = {label for label, _ in labels}
    except TypeError:
        raise wrong("by", "must be a column's name, or a list of names in order of preference") from None
    if len(unique) < len(labels):
        raise wrong("by", "names a column twice: name each once, in order of preference")
    return tuple(labels)


def _own_type(kind: object, place: int, columns: int) -> FieldType | None:
    """The field type that `by` gives a column. The label is not shown: the table may have no such column."""
    if kind is None or kind in FIELD_TYPES:
        return cast("FieldType | None", kind)
    which = f" (number {place} of {columns})" if columns > 1 else ""
    *others, last = map(repr, FIELD_TYPES)
    raise wrong(
        "by", f"gives a column{which} a field type that does not exist: use {', '.join(others)} or {last}"
    )


def _region(region: object) -> Any:
    if _is_column(region) or isinstance(region, (list, set, frozenset, Mapping)):
        raise wrong("region", "must be the name of one column with ISO 3166 codes or names of countries")
    check_text("region", str(region))
    return region


def _marks(split: object, labels: list[Any]) -> tuple[tuple[str, ...], ...]:
    """For each of these columns, its marks."""
    if split is None:
        return ((),) * len(labels)
    if not isinstance(split, Mapping):
        return (_marks_of(split),) * len(labels)
    own: dict[Any, tuple[str, ...]] = {}
    for label, marks in cast("Mapping[Any, object]", split).items():
        known = matching_label(labels, label)
        if known not in labels:
            names = ", ".join(map(label_for_message, labels))
            raise wrong(
                "split", "names a column that ", Term("by"), f" does not name: its keys are out of {names}"
            )
        own[known] = _marks_of(marks)
    return tuple(own.get(label, ()) for label in labels)


def _marks_of(given: object) -> tuple[str, ...]:
    marks: list[object] = [given]
    if isinstance(given, Iterable) and not isinstance(given, str):
        marks = list(cast("Iterable[object]", given))
    if marks and all(isinstance(mark, str) and mark for mark in marks):
        return tuple(cast("list[str]", marks))
    raise wrong("split", "must be what separates several values of one cell: ", Term("separators"))


def _is_column(by: object) -> bool:
    """Whether it holds values, or makes them: a column, an array or a table. An index holds names."""
    if isinstance(by, str) or getattr(by, "ndim", None) == 0:
        # A scalar of numpy's is a name, too.
        return False
    if any(kind.__name__ == "Index" for kind in type(by).__mro__):
        return False
    holds = hasattr(by, "dtype") or hasattr(by, "__arrow_c_array__") or hasattr(by, "__arrow_c_stream__")
    return holds or home_of(by) in {"polars", "pyarrow"}


def _columns(columns: object) -> tuple[tuple[str, str, Any], ...]:
    if columns is None:
        columns = DEFAULT_COLUMNS
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        raise wrong(
            "columns",
            "must be a mapping from names to paths, as in {'title': 'employment.job.title'}, or a "
            "list of names out of DEFAULT_COLUMNS",
        )
    if not isinstance(columns, Mapping):
        names = list(cast("Iterable[object]", columns))
        unknown = [name for name in names if name not in DEFAULT_COLUMNS]
        if unknown:
            raise wrong(
                "columns",
                f"names {as_given(unknown[0], DEFAULT_COLUMNS)}, which is not in DEFAULT_COLUMNS "
                f"({', '.join(DEFAULT_COLUMNS)}): pass a path for it, as in "
                "{'title': 'employment.job.title'}",
            )
        columns = {name: DEFAULT_COLUMNS[cast("str", name)] for name in names}
    return tuple([_column(name, path) for name, path in cast("Mapping[Any, Any]", columns).items()])


def _column(name: object, path: object) -> tuple[str, str, Any]:
    kinds: list[object] = []
    if isinstance(path, tuple):
        path, *kinds = cast("tuple[object, ...]", path) or (None,)
    kind: Any = kinds[0] if kinds else None
    is_kind = kind is None or isinstance(kind, str) or hasattr(kind, "__arrow_c_schema__")
    if isinstance(name, str) and isinstance(path, str) and is_kind and len(kinds) <= 1:
        return name, path, kind
    raise ConfigError(
        f"column {name!r} needs a path, as in 'employment.job.title', or a path and a type, as in "
        f"('likelihood', 'float64')"
    )
