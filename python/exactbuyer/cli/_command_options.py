"""The options of a command, and what they mean: files, columns to look up, settings of an enricher.

Ranges are checked by the settings themselves.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast

from exactbuyer._files.overwrite import OverwritePolicy
from exactbuyer._frames.labels import matching_label
from exactbuyer._frames.request import DEFAULT_COLUMNS, TableRequest
from exactbuyer.cli._io.encoding import BYTES
from exactbuyer.cli._io.files import BINARY, KINDS, STANDARD, Location, location_of, reading
from exactbuyer.cli._io.opening import Survey, is_enriched, opened
from exactbuyer.cli._io.parquet import files_in
from exactbuyer.cli._io.sources import DELIMITERS, Source
from exactbuyer.enricher import BulkEnricher
from exactbuyer.field_types import FIELD_TYPES, FieldType
from exactbuyer.report.message import Message, Term
from exactbuyer.settings import LOOPBACK, Budget
from exactbuyer.settings._auto_store import NO_STORE
from exactbuyer.settings._secret import KEY_VARIABLE, has_key

from ._header import check_header
from ._key_file import OFFLINE_VARIABLE, is_offline, key_in
from ._words import SETTINGS, WORDS
from .exit_codes import UsageError


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """The values of a command's options, by name."""

    values: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    def location(self) -> Location:
        """The input."""
        location = location_of(self["path"], self["kind"], "--from")
        self._check_kinds(location.kind, None if self["output"] is None else self._written_to(location).kind)
        if self["encoding"] == BYTES and location.kind not in DELIMITERS:
            raise UsageError(
                f"--encoding bytes is for CSV, and the input is {location.kind}: name its encoding"
            )
        return replace(location, encoding=self["encoding"])

    def _written_to(self, read: Location) -> Location:
        is_standard = self["output"] == STANDARD
        same_kind = ".".join(filter(None, (read.kind, read.packing))) if is_standard else None
        return location_of(self["output"], self["output_kind"] or same_kind, "--to")

    def _check_kinds(self, read: str, written: str | None) -> None:
        """Refuses options that would have no effect: the user probably meant another file.

        Without an output, as in a plan, options that are also for outputs are allowed.
        """
        for name, (what, of_input, of_output) in _FOR_KINDS.items():
            if self[name] is None or self[name] is False or read in of_input:
                continue
            if of_output and (written is None or written in of_output):
                continue
            where = f"the input is {read}"
            if of_output:
                where = (
                    f"neither the input nor the output is {what}" if of_input else f"the output is {written}"
                )
            raise UsageError(f"--{name.replace('_', '-')} is for {what}, and {where}: leave it out")

    def delimiter(self) -> str | None:
        """The character between cells."""
        text = self["delimiter"]
        if text is None:
            return None
        delimiter = "\t" if text in {"tab", "\\t"} else cast("str", text)
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
            raise UsageError("--delimiter must be one character such as ';', or the word tab")
        return delimiter

    def source(self, survey: Survey | None = None) -> Source:
        """The input, opened."""
        source = opened(self._input(), survey)
        if not source.names:
            # JSON Lines without a line: there are no rows to look up.
            source.names = self.table_request(source).labels
        return source

    def output(self) -> Location:
        """The output."""
        location = self.location()
        output = self._written_to(location)
        is_given = output.kind == "csv" and location.kind != "tsv"
        return self._with_layout(output, self.delimiter() if is_given else None)

    def _input(self) -> Location:
        return replace(self._with_layout(self.location(), self.delimiter()), sheet=self["sheet"])

    def _with_layout(self, location: Location, delimiter: str | None) -> Location:
        labels = tuple(self.labels())
        return replace(location, delimiter=delimiter, skip_rows=self["skip_rows"], labels=labels)

    def overwrite(self, enricher: BulkEnricher, output: Location) -> OverwritePolicy:
        """What the output may replace."""
        store, location = enricher.settings.store, self.location()
        read = (None if location.is_standard else location.path, self["key_file"], self["ca_bundle"])
        inputs = [Path(path) for path in read if path is not None]
        if location.kind == "parquet" and not location.is_standard and Path(location.path).is_dir():
            # Links may lead to folders somewhere else.
            with reading(location):
                folders = {os.path.realpath(file.parent) for file in files_in(Path(location.path))}
            root = os.path.realpath(location.path)
            inputs += [Path(each) for each in folders if not Path(each).is_relative_to(root)]
        return OverwritePolicy(
            stores=[Path(store)] if store is not None else [],
            inputs=inputs,
            descriptors=[0] if location.is_standard else [],
            is_earlier=lambda path: is_enriched(replace(output, path=str(path))),
            force=self["force"],
            fix=Message("name another file, or ", Term("force")),
        )

    def by(self, names: list[str]) -> dict[str, FieldType | None]:
        """The columns to look up, with their field types, as far as they were given.

        Args:
            names: The columns of the input. If one is called `a=phone`, that text means this column, not a
                type.
        """
        columns: dict[str, FieldType | None] = {}
        for text in self["by"]:
            name, mark, kind = text.rpartition("=")
            is_typed = mark and text not in names and kind in FIELD_TYPES
            if mark and not is_typed and text not in names:
                *others, last = FIELD_TYPES
                swapped = f"; did you mean --by {kind}={name}?" if name in FIELD_TYPES else ""
                raise UsageError(
                    f"--by {text}: {kind!r} is not a field type; use {', '.join(others)} or {last}{swapped}"
                )
            label, field_type = (name, cast("FieldType", kind)) if is_typed else (text, None)
            label = matching_label(names, label)
            if label in columns:
                raise UsageError(f"--by names {label!r} twice: name each column once, best first")
            if label not in names and (location := self._input()).kind in {*DELIMITERS, "xlsx"}:
                check_header(names, location)
            columns[label] = field_type
        return columns

    def labels(self) -> list[str]:
        """The names of the columns to look up, without field types."""
        parts = ((text, *text.rpartition("=")) for text in self["by"])
        return [name if mark and kind in FIELD_TYPES else text for text, name, mark, kind in parts]

    def table_request(self, source: Source) -> TableRequest:
        """The columns of an input to look up, and those to add."""
        by, region = self.by(source.names), self["region_column"]
        table_request = TableRequest.checked(
            by, self._columns(), self["prefix"], self._split([*by]), None, region=region, words=WORDS
        )
        return table_request.resolved_in(source.names)

    def enricher(self) -> BulkEnricher:
        """An enricher of these settings."""
        settings = {name: self[name] for name in SETTINGS if self[name] not in (None, ())}
        settings |= self._budget() | self._store_settings()
        if self["sandbox"]:
            for option in ("base_url", "key_file"):
                if self[option] is not None:
                    raise UsageError(
                        f"--sandbox and --{option.replace('_', '-')} cannot be combined: leave out one"
                    )
            return BulkEnricher.sandbox(**settings)
        key = key_in(self["key_file"]) if self["key_file"] is not None else None
        return BulkEnricher(cast("Any", key), base_url=self["base_url"] or None, **settings)

    @property
    def progress(self) -> Any:
        """Whether a progress bar is shown."""
        usual = "auto" if self["progress"] is None else self["progress"]
        return False if self["quiet"] else usual

    @property
    def sends(self) -> bool:
        """Whether anything may be sent."""
        return not (self["store_only"] or self["dry_run"])

    def check_online(self, service: str) -> None:
        """Checks that this machine may send, if anything is sent."""
        if self.sends and service != LOOPBACK and is_offline():
            raise UsageError(
                f"{OFFLINE_VARIABLE} is set, so that nothing can be sent to {service}: unset it, or pass "
                f"--sandbox, or --store-only for what the store has"
            )

    def check_key(self) -> None:
        """Checks that there is a key to send with, if anything is sent."""
        if self.sends and not self["sandbox"] and self["key_file"] is None and not has_key(None):
            raise UsageError(
                f"no API key: set the environment variable {KEY_VARIABLE}, or pass --key-file FILE; "
                f"--sandbox needs no key"
            )

    def _budget(self) -> dict[str, Any]:
        ceiling, per, tz = self["max_credits"], self["per"], self["tz"]
        if per is None and tz is None:
            return {} if ceiling is None else {"max_credits": ceiling}
        if ceiling is None:
            raise UsageError("--per and --tz set the period of --max-credits: pass --max-credits too")
        return {"max_credits": Budget(ceiling, per or "store", tz=tz)}

    def _store_settings(self) -> dict[str, Any]:
        settings_of_store: dict[str, Any] = {}
        if self["store"] is not None:
            settings_of_store["store"] = None if self["store"] == NO_STORE else self["store"]
        for name in ("max_age", "miss_max_age"):
            days = self[f"{name}_days"]
            if days is not None:
                settings_of_store[name] = timedelta(days=days)
        tags: dict[str, str] = {}
        for text in self["tags"]:
            name, mark, value = text.partition("=")
            if not (mark and name):
                raise UsageError("--tag must be a name and a value, as in job=spring")
            if name in tags:
                raise UsageError(f"--tag names {name!r} twice: pass each name once")
            tags[name] = value
        return settings_of_store | ({"tags": tags} if tags else {})

    def _split(self, labels: list[str]) -> dict[str, list[str]] | None:
        """The marks of each of these columns. Marks of its own take the place of those for all."""
        common: list[str] = []
        own: dict[str, list[str]] = {}
        options: tuple[str, ...] = self["split"]
        for text in options:
            ends = [at for at, char in enumerate(text) if char == "="]
            end = next((at for at in ends if matching_label(labels, text[:at]) in labels), None)
            if end is not None:
                mark = text[end + 1 :]
                own.setdefault(matching_label(labels, text[:end]), []).append(_ESCAPED.get(mark, mark))
                continue
            name, _, _ = text.partition("=")
            if ends and any(map(str.isalnum, name)):
                raise UsageError(
                    f"--split {text}: --by does not name a column {name!r}; write a mark for all columns "
                    f"without a name, as in --split ';'"
                )
            common.append(_ESCAPED.get(text, text))
        return {label: own.get(label, common) for label in labels if own.get(label, common)} or None

    def _columns(self) -> Any:
        if not self["columns"]:
            return None
        columns: dict[str, Any] = {}
        for text in self["columns"]:
            name, mark, path = text.partition("=")
            if name in columns:
                raise UsageError(f"--column names {name!r} twice: name each column once")
            if not name:
                raise UsageError(
                    "--column must be a name, or a name and a path, as in title=employment.job.title"
                )
            if not mark:
                if name not in DEFAULT_COLUMNS:
                    raise UsageError(
                        f"--column {name}: this is not a default column ({', '.join(DEFAULT_COLUMNS)}); "
                        f"give it a path, as in title=employment.job.title"
                    )
                columns[name] = DEFAULT_COLUMNS[name]
                continue
            path, colon, kind = path.partition(":")
            columns[name] = (path, kind) if colon else path
        return columns


class _ForKinds(NamedTuple):
    """The kinds of file that an option is for."""

    what: str
    of_input: Collection[str] = ()
    of_output: Collection[str] = ()


_FOR_KINDS = {
    "sheet": _ForKinds(".xlsx", {"xlsx"}),
    "encoding": _ForKinds("text files", {*KINDS} - {*BINARY}),
    "skip_rows": _ForKinds("CSV and .xlsx", {*DELIMITERS, "xlsx"}),
    "delimiter": _ForKinds("CSV", DELIMITERS, {"csv"}),
    "excel_safe": _ForKinds("CSV", (), DELIMITERS),
}
"""The options that have a meaning only for some kinds of file."""

_ESCAPED = {"\\n": "\n", "\\t": "\t"}
