"""What there are several of is listed once: the other lists are compared with that one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from exactbuyer import BulkEnricher, ConfigError, ExactBuyerError, Plan, Receipt, _core
from exactbuyer._calls.call import _LOG
from exactbuyer._core import Engine, Rows
from exactbuyer.cli import _app
from exactbuyer.cli._words import SETTINGS, WORDS
from exactbuyer.cli.exit_codes import _IF_RAISED, _OF_KINDS, _OF_ROWS, MEANINGS, ExitCode, exit_code_of_error
from exactbuyer.field_types import FieldType, RequiredField
from exactbuyer.report.message import PYTHON
from exactbuyer.report.progress import LimitedBy
from exactbuyer.report.results import Status
from exactbuyer.sandbox import Fault
from exactbuyer.settings import DEFINITIONS, Body, OnUnknown, Per, Settings, checked
from exactbuyer.settings._secret import Hidden
from exactbuyer.settings._setting_checks import DATES, SUMS
from exactbuyer.store import Resolution, Store
from exactbuyer.store.records import RequestOutcome

LISTS = _core._lists()  # pyright: ignore[reportPrivateUsage]
# Python has classes for kinds of errors, and words for settings, advices and entries of the log.
WITHOUT_LITERALS = {"ErrorKind", "Setting", "Advice", "LogKind"}
LITERALS = {
    "FieldType": FieldType,
    "RequiredField": RequiredField,
    "Status": Status,
    "RequestOutcome": RequestOutcome,
    "LimitedBy": LimitedBy,
    "OnUnknown": OnUnknown,
    "Per": Per,
    "Body": Body,
    "Resolution": Resolution,
    "Fault": Fault,
}

# Of a receipt, what Python knows without the core.
RECEIPT_OF_PYTHON = {"answers", "in_store", "store_only", "misfits", "credit_price", "reasons"}
# What the core counts, and Python shows otherwise.
RECEIPT_OF_THE_CORE = {"withheld"}

PARAMETERS = {name: p for name, p in inspect.signature(BulkEnricher).parameters.items() if name != "api_key"}


def usual() -> Settings:
    """The default settings."""
    defaults = {name: parameter.default for name, parameter in PARAMETERS.items()}
    return checked(**defaults | {"base_url": Hidden.of(defaults["base_url"]), "store": None})


def test_the_log_has_words_for_every_entry_of_the_core() -> None:
    assert sorted(_LOG) == sorted(LISTS["LogKind"])


def test_the_literals_are_the_lists_of_the_core() -> None:
    assert {name: sorted(get_args(kind)) for name, kind in LITERALS.items()} == {
        name: sorted(names) for name, names in LISTS.items() if name not in WITHOUT_LITERALS
    }


@pytest.mark.parametrize("name", LISTS["FieldType"])
def test_messages_name_every_field_type(name: str) -> None:
    wrong: list[Callable[[], object]] = [
        lambda: Rows([("e-mail", "a")]),
        lambda: Rows([{"field_type": 1, "value": ""}]),
        lambda: Rows([], field_type="x"),
    ]
    for read in wrong:
        with pytest.raises(ValueError, match=f'"{name}"'):
            read()


def test_every_status_has_its_count_in_the_receipt() -> None:
    assert set(get_args(Status)) <= {field.name for field in fields(Receipt)}
    counts: dict[str, Any] = dict.fromkeys(get_args(Status), 1)
    every = Receipt(**counts, rows=len(counts))
    assert every.under_way == 0
    for status in get_args(Status):
        assert f"{status.replace('_', ' ')} " in str(every)


def test_no_tag_has_a_name_that_a_summary_uses(tmp_path: Path) -> None:
    with BulkEnricher.sandbox(store=tmp_path / "people.db") as enricher:
        enricher.enrich(["ana@acme.example"])
        assert list(enricher.store.summary(by=DATES)[0]) == [*DATES, *SUMS]
    for name in (*DATES, *SUMS):
        with pytest.raises(ConfigError, match=f"tags has the name '{name}'"):
            BulkEnricher("any", tags={name: "x"})


@pytest.mark.parametrize("kind", [Plan, Receipt])
def test_a_dict_has_all_fields(kind: type[Plan | Receipt]) -> None:
    assert list(kind().to_dict()) == [field.name for field in fields(kind)]


def test_the_receipt_has_what_the_core_counts() -> None:
    run = Engine({}).start(api_key=None)
    run.finish()
    counted = {name.removesuffix("_ms") for name in run.receipt()}
    assert counted - RECEIPT_OF_THE_CORE == {field.name for field in fields(Receipt)} - RECEIPT_OF_PYTHON


def test_settings_are_the_parameters_of_an_enricher() -> None:
    assert list(PARAMETERS) == list(DEFINITIONS) == [field.name for field in fields(Settings)]
    documented = re.findall(r"^ {4}(\w+): ", inspect.getdoc(BulkEnricher) or "", re.MULTILINE)
    assert documented[: len(PARAMETERS) + 1] == ["api_key", *PARAMETERS]
    assert usual() == BulkEnricher(store=None).settings


def test_the_core_has_the_same_settings_and_defaults() -> None:
    # The core refuses a name that it does not know.
    assert Engine(usual().for_core())._settings() == Engine({})._settings()  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("command", ["enrich", "plan"])
def test_the_command_line_has_an_option_for_every_setting(command: str) -> None:
    given = _app.commands.commands[command].make_context(command, ["people.csv", "--by", "mail"]).params
    named = {name for name in DEFINITIONS if {name, f"{name}_days"} & given.keys()}
    # The time limit for connecting needs no option, and a command is not copied.
    assert DEFINITIONS.keys() - named == {"connect_timeout", "copies"}
    assert set(SETTINGS) <= named
    # Without the option, the default of the setting applies.
    assert {name: given[name] for name in SETTINGS if given[name] not in (None, ())} == {}


def test_every_error_has_an_exit_code() -> None:
    assert not _OF_KINDS.keys() & _OF_ROWS
    assert _OF_KINDS.keys() | _OF_ROWS == set(LISTS["ErrorKind"])
    assert _IF_RAISED.keys() == set(LISTS["ErrorKind"])


def subclasses(error_class: type[ExactBuyerError]) -> Iterator[type[ExactBuyerError]]:
    yield error_class
    for subclass in error_class.__subclasses__():
        yield from subclasses(subclass)


@pytest.mark.parametrize("error_class", sorted(set(subclasses(ExactBuyerError)), key=repr))
def test_no_error_that_ends_a_command_promises_an_output(error_class: type[ExactBuyerError]) -> None:
    with_output = {ExitCode.DONE, ExitCode.ROWS_FAILED, ExitCode.CREDITS, ExitCode.UNKNOWN}
    assert exit_code_of_error(error_class("")) not in with_output
    if issubclass(error_class, ConfigError):
        assert exit_code_of_error(error_class("")) is ExitCode.USAGE


@pytest.mark.parametrize("name", LISTS["Resolution"])
def test_every_resolution_is_named_where_doubts_are_resolved(name: str, tmp_path: Path) -> None:
    for advice in ("resolve_doubts", "unknown_and_resolve"):
        assert name in PYTHON[advice]
        assert name.replace("_", "-") in WORDS[advice]
    for method in (Store.resolve_unknown, BulkEnricher.resolve_unknown):
        assert f'"{name}"`: ' in inspect.getdoc(method)  # type: ignore[operator]
    with Store(tmp_path / "people.db") as store, pytest.raises(ConfigError, match=f"'{name}' "):
        store.resolve_unknown("forget")  # type: ignore[arg-type]


def test_every_exit_code_is_in_the_help_and_in_the_documentation() -> None:
    assert list(MEANINGS) == list(ExitCode)
    help_text = _app.enrich.epilog or ""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    for code, meaning in MEANINGS.items():
        assert f"{code:>5}  {meaning}" in help_text
        assert re.search(rf"^\| (\d+, )*{code:d}(, \d+)* \|", page, re.MULTILINE), code
