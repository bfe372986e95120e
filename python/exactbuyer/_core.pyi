"""The extension module. Private: use `exactbuyer.BulkEnricher`."""

from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from .field_types import FieldType
from .settings._secret import Hidden, Secret

__all__ = [
    "DEFAULT_COLUMNS",
    "FIXED_COLUMNS",
    "RULES_VERSION",
    "SIDE_FILES",
    "ArrowInput",
    "ArrowOutput",
    "Batches",
    "ByColumns",
    "CsvPart",
    "CsvSplitter",
    "Engine",
    "JsonPart",
    "JsonSplitter",
    "Rows",
    "Run",
    "SandboxLedger",
    "SandboxServer",
    "Store",
    "Table",
    "__version__",
    "_decode_reply",
    "_has_places",
    "_lists",
    "_make_rows",
    "after_fork",
    "before_fork",
    "check_time_zone",
    "csv_lines",
    "csv_record",
    "disk_trouble",
    "json_lines",
    "migrate_store",
    "reserved_end",
    "service_of",
]

__version__: str

RULES_VERSION: int
"""The version of the rules that make canonical forms, and so keys."""

FIXED_COLUMNS: list[str]
DEFAULT_COLUMNS: list[tuple[str, str, str | None]]

SIDE_FILES: list[str]
"""The ends of the names of a store's side files, after the store's own name."""

def _make_rows(outcomes: list[tuple[Any, bytes | None, int]]) -> list[dict[str, Any]]:
    """Results of (value, record, number of the status), as a call builds them: for tests."""

def _has_places(keys: list[str]) -> bool:
    """Whether the values of dicts with these keys are replaced by their place on this Python: for tests."""

def _lists() -> dict[str, list[str]]:
    """The names in each of the core's lists, by the name of Python's `Literal` if there is one: for tests."""

def _decode_reply(body: bytes) -> tuple[list[Any], int | None, str | None]:
    """A reply's contacts as they are in results, its count, and what was wrong: for tests."""

@final
class Rows:
    """Rows, read and identified: the caller's values, and what to look up for each.

    Columns (pandas, polars, Arrow, numpy) are converted to lists. Raises `TypeError` or `ValueError` for an
    object that is not a row, with the number of the row and the fix.
    """

    def __new__(
        cls,
        rows: Iterable[object],
        *,
        field_type: str | None = None,
        default_region: str | None = None,
        na_values: Iterable[str] | None = None,
        first_row: int = 0,
    ) -> Rows: ...
    @staticmethod
    def of_asks(asks: object, counts: object) -> Rows:
        """The rows that a column `asks` of `ByColumns.keys` contains, without values.

        Each stands for as many equal rows as `counts` says, and plans and receipts count all of them. Raises
        `ValueError` for a text that `keys` has not made.
        """

    def __len__(self) -> int: ...
    def invalid(self) -> list[tuple[int, str]]:
        """Each row that cannot be looked up, and why; only before the rows are fed."""

    def is_other_text(self) -> bool:
        """Whether the rows that cannot be looked up only do not look like identifiers, as names do not."""

    def asking(self) -> int:
        """The number of rows with something to look up; only before the rows are fed."""

    def plan(
        self,
        settings: Mapping[str, Any],
        *,
        store: Store | None = None,
        required_fields: Iterable[str] | None = None,
        refresh: bool = False,
        store_only: bool = False,
    ) -> dict[str, Any]:
        """Counts for a plan; only before the rows are fed.

        The names are those of `exactbuyer.Plan`. Beside them: `lately` (`hits` and `answered` of the store's
        latest requests) and `room` (what is left of a limit that the store counts); each may be `None`.
        """

@final
class ByColumns:
    """The columns of a table that are looked up, in order of preference.

    Each is a name, a field type, the cells (Arrow data, or a list of objects), the name of a list's type,
    which may have lost digits, and the marks between several values of a cell. `region` is the column with
    the country of each row's phone numbers, as its name, its cells, and the name of a list's type. Raises
    `ConfigError` for an Arrow column that cannot be read.
    """

    def __new__(
        cls,
        columns: Sequence[tuple[str, str | None, object, str, list[str]]],
        *,
        region: tuple[str, object, str] | None = None,
        default_region: str | None = None,
        na_values: Iterable[str] | None = None,
    ) -> ByColumns: ...
    def __len__(self) -> int: ...
    def rows(self, start: int, stop: int, first_row: int) -> Rows:
        """The rows between these two. Arrow columns are read with the GIL released."""

    def keys(self, start: int, stop: int, words: Mapping[str, str]) -> Batches:
        """For each of these rows: `key`, 16 bytes that rows with the same identifiers share; `asks`, what it
        asks for, as text; and, if it asks for nothing, its `status` and the `reason`, in these words.

        Needs no key of the service, no store and no network. The metadata has `exactbuyer_rules_version`.
        """

@final
class Table:
    """The columns that a table gets, under construction.

    Each of `columns` is a name, a path, and a type: `None`, a name, or an Arrow type.
    """

    def __new__(
        cls,
        columns: list[tuple[str, str, Any]],
        *,
        prefix: str,
        by: list[str],
        words: Mapping[str, str],
        large_text: bool = False,
    ) -> Table: ...
    def names(self) -> list[str]:
        """The names of the columns, in order."""

    def expect(self, rows: int) -> None:
        """The next `rows` rows to be fed make a block."""

    def blocks(self) -> list[Batches]:
        """The blocks that are complete, in the order of the rows; each is returned once."""

    def lose(self) -> None:
        """An internal error ended the run: rows that were announced and have no outcome are unknown."""

    def finish(self, rows: int) -> None:
        """No more outcomes come. There are this many rows; those without an outcome were not sent."""

    def add_results(
        self, first_row: int, results: list[tuple[str, str | None, str | None]], origins: bytes
    ) -> None:
        """Adds rows of an earlier call: status, contact as JSON text, reason; and their `Run.origins`."""

    def misfits(self) -> int:
        """Values that did not fit the type of their column."""

    def unmet(self) -> list[str]:
        """The columns for which no contact had a value; empty if there was no contact."""

    def unfit(self) -> list[str]:
        """The columns for which contacts had values, but none that fitted the type."""

    def __arrow_c_schema__(self) -> object: ...

@final
class Batches:
    """Record batches of one schema."""

    @staticmethod
    def concat(schema: object, parts: list[Batches]) -> Batches:
        """All parts, one after the other; `schema` is any object that exports one."""

    def __len__(self) -> int: ...
    def names(self) -> list[str]:
        """The names of the columns, in order."""

    def metadata(self) -> dict[str, str]: ...
    def column(self, name: str) -> Batches: ...
    def slice(self, start: int, rows: int) -> Batches: ...
    def beside(self, other: Batches, without: list[str], changes: list[tuple[str, str | None]]) -> Batches:
        """These columns without some, with the other's beside them.

        `changes` sets entries of the metadata; `None` removes one.
        """

    def objects(self, name: str) -> tuple[list[Any], str]:
        """A column's values as objects, and pandas' name of their type."""

    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@final
class CsvSplitter:
    """Cuts a CSV file into records. Raises `ValueError`, with the line, for one that is not a record.

    The first `preamble` bytes, which come before the header, are written again unchanged and not looked up.
    """

    def __new__(cls, delimiter: int, preamble: int = 0) -> CsvSplitter: ...
    def feed(self, piece: bytes) -> None: ...
    def finish(self) -> None: ...
    def header(self) -> CsvPart | None:
        """The first record, once it is complete. Call it before `take`."""

    def take(self, rows: int) -> CsvPart | None:
        """The next records: as many as `rows`, or some megabytes, or the rest at the end."""

    def trailer(self) -> bytes:
        """What follows the last record."""

@final
class CsvPart:
    """Complete records of a CSV file, byte for byte."""

    def __len__(self) -> int: ...
    def names(self) -> list[str]: ...
    def column(self, name: str) -> Batches:
        """The texts of a column; bytes that are not UTF-8 are replaced."""

    def table(self) -> Batches:
        """All columns, as text. Raises `ValueError` for bytes that are not UTF-8."""

    def beside(self, added: Batches, dropped: list[str], defuse: bool) -> bytes:
        """The records without some columns, and with others beside them."""

    def beside_names(self, added: list[str], dropped: list[str]) -> bytes:
        """The header without some names, and with others beside them."""

@final
class JsonSplitter:
    """Cuts a JSON Lines file into records."""

    def __new__(cls) -> JsonSplitter: ...
    def feed(self, piece: bytes) -> None: ...
    def finish(self) -> None: ...
    def take(self, rows: int) -> JsonPart | None:
        """As `CsvSplitter.take`."""

    def trailer(self) -> bytes:
        """What follows the last record."""

@final
class JsonPart:
    """Complete records of a JSON Lines file. Raises `ValueError` for a line that is not an object."""

    def __len__(self) -> int: ...
    def names(self) -> list[str]: ...
    def column(self, name: str) -> Batches:
        """The texts under a name, as lists."""

    def table(self, names: list[str]) -> Batches:
        """Columns of these names, as text or JSON. Raises `ValueError` for a member with another name."""

    def beside(self, added: Batches, dropped: list[str], as_json: list[str]) -> bytes:
        """The records without some members, and with others beside them."""

def csv_lines(data: object, delimiter: int, defused: list[str]) -> bytes:
    """Any Arrow data as records of a CSV file."""

def csv_record(cells: list[str], delimiter: int) -> bytes:
    """Texts as one record of a CSV file."""

def json_lines(data: object, as_json: list[str]) -> bytes:
    """Any Arrow data as lines of JSON."""

@final
class ArrowInput:
    """The record batches of any object that exports them, one at a time."""

    def __new__(cls, source: object) -> ArrowInput: ...
    def names(self) -> list[str]: ...
    def metadata(self) -> dict[str, str]: ...
    def __iter__(self) -> Iterator[Batches]: ...
    def __next__(self) -> Batches: ...
    def __arrow_c_schema__(self) -> object: ...

@final
class ArrowOutput:
    """Exports the record batches of an iterator as they come. Works once."""

    def __new__(cls, schema: object, source: Iterator[Batches]) -> ArrowOutput: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@final
class Engine:
    """The engine of an enricher: settings, network, limiter, budget. A forked child builds its own.

    The settings are those of the enricher that the core knows. Durations are in seconds, and their names end
    in `_s`. Their ranges were checked before. `proxy` is passed by itself because it may be secret.
    """

    def __new__(
        cls, settings: Mapping[str, Any], store: Store | None = None, proxy: Hidden | str | None = None
    ) -> Engine: ...
    def start(
        self,
        *,
        api_key: Secret | str | None,
        whole: bool = False,
        window: int | None = None,
        rows: int | None = None,
        chunk_size: int | None = None,
        required_fields: Iterable[str] | None = None,
        max_credits: int | None = None,
        refresh: bool = False,
        store_only: bool = False,
    ) -> Run:
        """Starts a call, and opens the store. Every call must have the same key; without one nothing is sent.

        `whole`: all rows are at hand. Nothing is sent before `finish`, and every duplicate is recognised.
        Otherwise a lookup is forgotten 100,000 rows after the last row with it. `window` replaces this
        number if the store is durable. `rows`: how many rows will be fed, if known, for the progress.
        `chunk_size`: the most lookups of a request, if fewer than usual.
        """

    def probe(self) -> int:
        """The status with which the address answers. Sends neither a key nor a lookup."""

    def _settings(self) -> str:
        """The settings that are used, without the proxy: for tests."""

    def close(self, grace_s: float) -> None:
        """Stops every call and waits until they are over, at most this long."""

@final
class Run:
    """A call in progress. One thread or task at a time waits, fills or takes."""

    def feed(self, rows: Rows) -> None:
        """Adds rows, which can be fed once; their values are kept for the results."""

    def finish(self) -> None:
        """No more rows come."""

    def wait(self, timeout_s: float) -> bool:
        """Waits with the GIL released until outcomes are ready or the run is over; `False` on time-out.

        Raises KeyboardInterrupt within 50 ms of Ctrl-C.
        """

    def wait_async(self) -> Awaitable[None]:
        """The same for asyncio, without a time-out. Cancelling it does not change the run."""

    def fill(self, into: list[Any]) -> int:
        """Builds the results that are ready, each at its place in `into`, and returns their number.

        They are at most some thousands, so that Ctrl-C is seen between two calls.
        """

    def take(self, most: int) -> list[dict[str, Any]]:
        """The next results that are ready, in input order."""

    def gather(self, table: Table) -> int:
        """Adds the outcomes that are ready to a table, with the GIL released, and returns their number.

        They are at most some thousands and those of one reply, so that Ctrl-C is seen between two calls.
        """

    def over(self) -> bool:
        """Whether every outcome has been handed out."""

    def stop(self, grace_s: float) -> None:
        """Starts no more requests; those in flight may still take this long."""

    def receipt(self) -> dict[str, Any]:
        """The counts so far, under the names of `exactbuyer.Receipt`, and `withheld`."""

    def log(self) -> list[tuple[str, int, float, str]]:
        """What has happened to requests since the last call: what, lookups, seconds to wait, and why."""

    def problems(self) -> list[tuple[int, str, str]]:
        """Row, status and reason of each row handed out that is open, invalid or rejected, by row."""

    def origins(self, rows: int) -> bytes:
        """Where the answers of the last `rows` rows handed out came from: see `Table.add_results`."""

    def troubles(self) -> list[tuple[str, str, int | None, bool]]:
        """Class, message and HTTP status of each error, and whether a setting has to change, worst first."""

    def progress(self) -> dict[str, Any]:
        """The progress, under the names of `exactbuyer.Progress`."""

def reserved_end(path: Path) -> str | None:
    """The reserved end of the path's name, such as `-wal`, which no store or output may have, or `None`."""

def service_of(base_url: str) -> str:
    """The service at this address: its host, or `loopback`. Raises `ConfigError` if it is not an address."""

def disk_trouble(path: Path) -> str | None:
    """Why the disk at this path is refused for a store, in a few words; `None` if it is not."""

def check_time_zone(name: str) -> None:
    """Raises `ConfigError` if there is no time zone of this name."""

def migrate_store(path: Path) -> tuple[dict[str, int], Path | None]:
    """Migrates a store to this version: the counts of `Migrated`, and the path of the backup."""

def before_fork() -> None:
    """Closes what a child must not inherit: for `os.register_at_fork`."""

def after_fork() -> None:
    """Opens it again in the parent, and forgets it in the child: for `os.register_at_fork`."""

@final
class Store:
    """A store. It is opened when it is first needed, and again in a forked child.

    With `service` the store must belong to this service, and is created if there is none. Without, it is
    opened as it is. Dictionaries have the names of the dataclasses of `exactbuyer.store`; a name that ends in
    `_ms` is a time in milliseconds since 1970.
    """

    def __new__(cls, path: Path, *, service: str | None = None) -> Store: ...
    def is_open(self) -> bool:
        """Whether this process has it open."""

    def open(self) -> list[str]:
        """Opens it if it is not open, and returns warnings."""

    def close(self) -> None: ...
    def name(self) -> bytes:
        """Identifies this store and its copies."""

    def add_mark(self) -> tuple[int, bytes]:
        """Writes a new mark, which earlier copies of the file do not have."""

    def has_mark(self, number: int, token: bytes) -> bool: ...
    def unknown(self) -> tuple[dict[str, Any], ...]: ...
    def resolve_unknown(self, resolution: str, requests: list[int] | None = None) -> dict[str, int]:
        """Resolves everything that is in doubt, or what these requests have left."""
    def receipts(self, after: int) -> tuple[dict[str, Any], ...]:
        """Some requests of the journal above this one; none at the end."""

    def summary(self, by: list[str], time_zone: str) -> tuple[dict[str, Any], ...]: ...
    def reconcile(self, month: str, invoiced: int, time_zone: str) -> dict[str, Any]: ...
    def info(self) -> dict[str, Any]: ...
    def export(self, after: int) -> tuple[list[str], int] | None:
        """The next answers as lines of JSON, and the number to pass as `after` for those that follow.

        Begin with 0; `None` at the end.
        """

    def backup(self, to: Path) -> None: ...
    def merge(self, other: Path) -> dict[str, Any]: ...
    def find(self, rows: Rows) -> tuple[dict[str, Any], ...]: ...
    def find_text(self, text: str) -> tuple[dict[str, Any], ...]: ...
    def purge(self, rows: Rows) -> dict[str, Any]: ...
    def purge_before(self, at_ms: int) -> dict[str, Any]: ...
    def allow(self, rows: Rows) -> bool: ...
    def read_unread(self, request: int) -> bytes | None: ...

@final
class SandboxServer:
    """A running sandbox. `options` are the arguments of `exactbuyer.sandbox.Sandbox`, and `latency_s`."""

    def __new__(cls, options: Mapping[str, Any]) -> SandboxServer: ...
    def url(self) -> str: ...
    def api_key(self) -> str: ...
    def person(self, rows: Rows, contact: str) -> None: ...
    def nobody(self, rows: Rows) -> None: ...
    def reject(self, rows: Rows) -> None: ...
    def fail(self, rule: Mapping[str, Any]) -> None:
        """Adds a fault. `rule` has the arguments of `exactbuyer.sandbox.Sandbox.fail`, and `pause_s`."""

    def top_up(self, amount: int) -> None: ...
    def credits_left(self) -> int | None: ...
    def ledger(self) -> SandboxLedger: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...

@final
class SandboxLedger:
    """The sandbox's ledger at one moment: see `exactbuyer.sandbox.Ledger`."""

    def credits(self) -> int: ...
    def entries(self) -> list[tuple[int, FieldType, str, int]]: ...
    def identifiers(self) -> list[tuple[FieldType, str, int, int]]: ...
    def requests(self) -> tuple[dict[str, Any], ...]: ...
    def times_billed(self, rows: Rows) -> int: ...
    def times_asked(self, rows: Rows) -> int: ...
    def most_in_flight(self) -> int: ...
    def connections(self) -> int: ...
