"""The Rust core, as Python sees it. Private: use :class:`exactbuyer.BulkEnricher`."""

from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, final

from .field_types import FieldType
from .sandbox import Fault
from .settings._secret import Secret

__all__ = [
    "DEFAULT_COLUMNS",
    "FIXED_COLUMNS",
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
    "StoreExport",
    "Table",
    "__version__",
    "_decode_reply",
    "_make_rows",
    "_promote",
    "after_fork",
    "before_fork",
    "check_time_zone",
    "csv_lines",
    "csv_record",
    "disk_trouble",
    "error_classes",
    "json_lines",
    "message_terms",
    "migrate_store",
    "sandbox_faults",
    "service_of",
]

__version__: str

FIXED_COLUMNS: list[str]
DEFAULT_COLUMNS: list[tuple[str, str, str | None]]

def _make_rows(outcomes: list[tuple[Any, bytes | None, int]]) -> list[dict[str, Any]]:
    """Result dicts of (value, record, number of the status), as a call builds them: for tests."""

def _promote() -> None:
    """Counts what is alive among the cyclic collector's old objects: for tests."""

def message_terms() -> list[str]:
    """The names of all settings and advices that a message of the core can have."""

def error_classes() -> list[str]:
    """The name of the class in `exactbuyer.exceptions` for each kind of error of the core."""

def _decode_reply(body: bytes) -> tuple[list[Any], int | None, str | None]:
    """A reply's contacts as results are built from them, the count, and what was wrong: for tests."""

@final
class Rows:
    """Rows, read and identified: the caller's own values, and what may be asked of each.

    Columns (pandas, polars, Arrow, numpy) convert themselves to lists here. Raises `TypeError` or
    `ValueError` for what is no row, naming the row and the fix.
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
    def __len__(self) -> int: ...
    def invalid(self) -> list[tuple[int, str]]:
        """Each row that cannot be looked up, and why. Only before the rows are fed."""

    def asking(self) -> int:
        """How many rows have something to ask. Only before the rows are fed."""

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

        `rows`, `missing`, `invalid`, `duplicates`, `from_store`, `open_rows`,
        `bought_again`, `max_credits`; `to_send` and `requests`, each a pair (if every first choice is
        found, if none is); `suspects`, each (first row, field type, rows); with a store `lately`
        (lookups found and answered by its latest requests) and `room` (what is left of a ceiling that
        it counts).
        """

@final
class ByColumns:
    """The columns of a table that are looked up, in order of preference.

    Each is a name, a field type, its cells (anything of Arrow's, or a list of objects), and the name
    of a list's type where that may have lost digits, and the marks between several values of a cell.
    `region` is the column that says where each row's phone numbers are from: its name, its cells, and
    the name of a list's type. Raises `ConfigError` for a column of Arrow's that cannot be read so.
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
        """The rows between these two, read; columns of Arrow's with the GIL released."""

@final
class Table:
    """The columns that a table gets, under construction.

    Each of `columns` is a name, a path, and a type: `None`, a name, or one of Arrow's.
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
        """The next rows to be fed make a block of so many."""

    def blocks(self) -> list[Batches]:
        """The blocks that are complete, in the order of the rows; each once."""

    def finish(self, rows: int) -> None:
        """No more outcomes come, and there should have been so many rows: the others were not sent."""

    def misfits(self) -> int:
        """Values that did not fit the type of their column."""

    def unmet(self) -> list[str]:
        """Columns that none of the contacts so far had a value for, by name; none where none was found."""

    def unfit(self) -> list[str]:
        """Columns that contacts had values for, none of which fitted their type, by name."""

    def __arrow_c_schema__(self) -> object: ...

@final
class Batches:
    """Record batches of one schema."""

    @staticmethod
    def concat(schema: object, parts: list[Batches]) -> Batches:
        """All of them, one after the other; `schema` is anything that exports it."""

    def __len__(self) -> int: ...
    def names(self) -> list[str]:
        """The names of the columns, in order."""

    def metadata(self) -> dict[str, str]:
        """The schema's metadata."""

    def column(self, name: str) -> Batches:
        """One column, by itself."""

    def slice(self, start: int, rows: int) -> Batches:
        """So many rows from there on."""

    def beside(self, other: Batches, without: list[str], metadata: list[tuple[str, str]]) -> Batches:
        """These columns but for some, the other's beside them, and this in the schema's metadata."""

    def objects(self, name: str) -> tuple[list[Any], str]:
        """A column's values as objects, and what they are, in pandas' words."""

    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@final
class CsvSplitter:
    """Cuts a CSV file into records. Raises `ValueError` for what is none, naming its line."""

    def __new__(cls, delimiter: int) -> CsvSplitter: ...
    def skip(self, bytes: int) -> None:  # noqa: A002 - its name in the core
        """Skips so many bytes before the header. Call it before anything is fed."""

    def feed(self, piece: bytes) -> None: ...
    def finish(self) -> None: ...
    def header(self) -> CsvPart | None:
        """The first record, once it is there; before anything else is taken."""

    def take(self, rows: int) -> CsvPart | None:
        """The next records: so many, or some megabytes, or what is left at the end."""

    def trailer(self) -> bytes:
        """What follows the last record."""

@final
class CsvPart:
    """Whole records of a CSV file, byte for byte."""

    def __len__(self) -> int: ...
    def names(self) -> list[str]:
        """The columns of the file."""

    def column(self, name: str) -> Batches:
        """The texts of a column; what is not UTF-8 is replaced."""

    def table(self) -> Batches:
        """All columns, as text. Raises `ValueError` for what is not UTF-8."""

    def check_text(self) -> None:
        """Raises `ValueError` if something is not UTF-8."""

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
        """As a `CsvSplitter` does."""

    def trailer(self) -> bytes:
        """What follows the last record."""

@final
class JsonPart:
    """Whole records of a JSON Lines file, byte for byte. Raises `ValueError` for a line that is no object."""

    def __len__(self) -> int: ...
    def names(self) -> list[str]:
        """The names that its objects have."""

    def column(self, name: str) -> Batches:
        """The texts under a name, as lists."""

    def table(self, names: list[str]) -> Batches:
        """Columns of these names, as text, or JSON. Raises `ValueError` for a member of another name."""

    def beside(self, added: Batches, dropped: list[str], as_json: list[str]) -> bytes:
        """The records without some members, and with others beside them."""

def csv_lines(data: object, delimiter: int, defused: list[str]) -> bytes:
    """Anything of Arrow's as records of a CSV file."""

def csv_record(cells: list[str], delimiter: int) -> bytes:
    """Texts as one record of a CSV file."""

def json_lines(data: object, as_json: list[str]) -> bytes:
    """Anything of Arrow's as lines of JSON."""

@final
class ArrowInput:
    """The record batches of anything that exports them, one at a time."""

    def __new__(cls, source: object) -> ArrowInput: ...
    def names(self) -> list[str]:
        """The names of the columns, in order."""

    def metadata(self) -> dict[str, str]:
        """The schema's metadata."""

    def __iter__(self) -> Iterator[Batches]: ...
    def __next__(self) -> Batches: ...
    def __arrow_c_schema__(self) -> object: ...

@final
class ArrowOutput:
    """Record batches exported as an iterator gives them, once."""

    def __new__(cls, schema: object, source: Iterator[Batches]) -> ArrowOutput: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@final
class Engine:
    """What an enricher holds: settings, network, limiter, budget. One per process: a fork makes its own.

    The settings are those of the enricher that the core knows; durations are in seconds and their
    names end in `_s`. Their ranges were checked before.
    """

    def __new__(cls, settings: Mapping[str, Any], store: Store | None = None) -> Engine: ...
    def start(
        self,
        *,
        api_key: Secret | str | None,
        whole: bool = False,
        required_fields: Iterable[str] | None = None,
        max_credits: int | None = None,
        refresh: bool = False,
        store_only: bool = False,
    ) -> Run:
        """Starts a call, and opens the store.

        `whole`: the rows are all at hand; nothing is sent before `finish`, and no lookup that comes again is
        forgotten. Otherwise a lookup is forgotten 100,000 rows after the last row that named it.

        The first one with a key settles it; without one nothing is sent.
        """

    def close(self, grace_s: float) -> None:
        """Stops every call and waits until they are over, at most so long."""

@final
class Run:
    """A call under way. One thread or task at a time waits, fills or takes."""

    def feed(self, rows: Rows) -> None:
        """Adds rows, once; their values are kept for the results."""

    def finish(self) -> None:
        """No more rows come."""

    def wait(self, timeout_s: float) -> bool:
        """Waits, the GIL released, until outcomes are ready or the run is over; False on time-out.

        Raises KeyboardInterrupt within 50 ms of Ctrl-C.
        """

    def wait_async(self) -> Awaitable[None]:
        """The same for asyncio, without a limit; cancelling it changes nothing in the run."""

    def fill(self, into: list[Any]) -> int:
        """Builds what is ready, each row at its own place in `into`; how many rows that were.

        At most some thousands, so that Ctrl-C is seen between two calls.
        """

    def take(self, most: int) -> list[dict[str, Any]]:
        """The next results in input order, as far as they are ready."""

    def gather(self, table: Table) -> int:
        """Puts what is ready into a table, the GIL released; how many rows that were.

        At most some thousands and a reply's, so that Ctrl-C is seen between two calls.
        """

    def over(self) -> bool:
        """Whether every outcome has been handed out."""

    def undelivered(self) -> int:
        """Rows fed and not yet handed out."""

    def stop(self, grace_s: float) -> None:
        """Starts nothing new; what is in flight may still take so long."""

    def receipt(self) -> dict[str, Any]:
        """The counts so far, by the names of :class:`exactbuyer.Receipt`."""

    def problems(self) -> list[tuple[int, str, str]]:
        """Row, status and reason of each row handed out that is open, invalid or rejected; by row."""

    def troubles(self) -> list[tuple[str, str, int | None, bool]]:
        """What the run met, worst first: class, message, HTTP status, whether a setting has to change."""

    def progress(self) -> dict[str, Any]:
        """Where it stands, by the names of :class:`exactbuyer.Progress`."""

def service_of(base_url: str) -> str:
    """Whose answers those of this address are: its host, or `loopback`; a `ConfigError` if it is none."""

def disk_trouble(path: Path) -> str | None:
    """Why the disk at this path is no place for a store, in a few words; `None` if it is one."""

def check_time_zone(name: str) -> None:
    """Raises `ConfigError` if there is no time zone of this name."""

def migrate_store(path: Path) -> dict[str, Any]:
    """Brings a store up to this version; by the names of `exactbuyer.store.Migrated`."""

def before_fork() -> None:
    """Closes what a child must not inherit open: for `os.register_at_fork`."""

def after_fork() -> None:
    """Opens it again in the parent, and forgets it in the child: likewise."""

@final
class Store:
    """A store: opened when it is first needed, and anew in a forked child.

    `service` says whose it has to be, and that it is made where there is none; without, it is opened
    as it is. Answers are dicts by the names of the classes of `exactbuyer.store`, times in
    milliseconds since 1970.
    """

    def __new__(cls, path: Path, *, service: str | None = None) -> Store: ...
    def open(self) -> list[str]:
        """Opens it if it is not open; what there is to warn of."""

    def is_open(self) -> bool: ...
    def close(self) -> None: ...
    def name(self) -> bytes:
        """Tells this store and its copies from every other store."""

    def add_mark(self) -> tuple[int, bytes]:
        """Writes a new mark, which copies of the file that were made earlier do not have."""

    def has_mark(self, number: int, token: bytes) -> bool:
        """Whether the store has this mark."""

    def unknown(self) -> list[dict[str, Any]]: ...
    def resolve_unknown(self, resend: bool) -> dict[str, int]: ...
    def receipts(self, after: int) -> list[dict[str, Any]]:
        """Some of the journal above this request; none at the end."""

    def summary(self, by: list[str], time_zone: str) -> list[dict[str, Any]]: ...
    def reconcile(self, month: str, invoiced: int, time_zone: str) -> dict[str, Any]: ...
    def info(self) -> dict[str, Any]: ...
    def export(self) -> StoreExport: ...
    def backup(self, to: Path) -> None: ...
    def merge(self, other: Path) -> dict[str, Any]: ...
    def find(self, rows: Rows) -> list[dict[str, Any]]: ...
    def find_text(self, text: str) -> list[dict[str, Any]]: ...
    def purge(self, rows: Rows) -> dict[str, Any]: ...
    def purge_before(self, at_ms: int) -> dict[str, Any]: ...
    def allow(self, rows: Rows) -> bool: ...
    def read_unread(self, request: int) -> bytes | None: ...

@final
class StoreExport:
    """The answers of a store, as lines of JSON."""

    def lines(self) -> list[str]:
        """The next lines, at most some; none at the end."""

def sandbox_faults() -> list[str]:
    """The names of all faults."""

@final
class SandboxServer:
    """A running sandbox: see `exactbuyer.sandbox.Sandbox`."""

    def __new__(
        cls,
        *,
        port: int,
        seed: int,
        match_rate: float,
        latency_s: float,
        balance: int | None,
        requests_per_minute: int | None,
        retry_after: Literal["seconds", "date"] | None,
        api_key: str | None,
    ) -> SandboxServer: ...
    def url(self) -> str: ...
    def api_key(self) -> str: ...
    def person(self, value: str, contact: str) -> None: ...
    def nobody(self, value: str) -> None: ...
    def reject(self, value: str) -> None: ...
    def fail(
        self,
        fault: Fault,
        *,
        request: int | None,
        probability: float | None,
        times: int | None,
        pause_s: float | None,
        location: str | None,
        retry_after: str | None,
    ) -> None: ...
    def top_up(self, amount: int) -> None: ...
    def credits_left(self) -> int | None: ...
    def ledger(self) -> SandboxLedger: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...

@final
class SandboxLedger:
    """The sandbox's books as they stood: see `exactbuyer.sandbox.Ledger`."""

    def credits(self) -> int: ...
    def entries(self) -> list[tuple[int, FieldType, str, int]]: ...
    def identifiers(self) -> list[tuple[FieldType, str, int, int]]: ...
    def requests(
        self,
    ) -> list[tuple[int, float, str, list[str], int, int | None, Fault | None, int, int]]: ...
    def times_billed(self, value: str) -> int: ...
    def times_asked(self, value: str) -> int: ...
    def most_in_flight(self) -> int: ...
    def connections(self) -> int: ...
