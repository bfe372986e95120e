"""Each audience has its own words for settings and advices, and nobody's data is ever reworded."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_runs import against, run

from exactbuyer import BulkEnricher, ConfigError, _core
from exactbuyer.cli._options import (
    column_options,
    input_options,
    money_options,
    service_options,
    store_options,
)
from exactbuyer.cli._words import STORE_WORDS, WORDS, in_options
from exactbuyer.report.message import PYTHON, TABLE, Message, Term, about

if TYPE_CHECKING:
    from exactbuyer.sandbox import Sandbox

SOURCES = Path(__file__).parents[2] / "python" / "exactbuyer"

# Of calls of the Python API alone: no message of the command line names them.
_PYTHON_ONLY = {"answers", "on_error", "read_ahead"}


def terms() -> set[str]:
    """Every setting and advice that a message of the package names."""
    sources = [path.read_text() for path in sorted(SOURCES.rglob("*.py"))]
    assert len(sources) > 50
    named = {name for source in sources for name in re.findall(r'\b(?:Term|about|wrong)\(\s*"(\w+)"', source)}
    assert {"max_credits", "price_example", "by"} <= named
    lists = _core._lists()  # pyright: ignore[reportPrivateUsage]
    return named | {*lists["Setting"], *lists["Advice"]} | set(PYTHON)


@pytest.mark.parametrize("name", sorted(terms() - _PYTHON_ONLY))
def test_each_audience_has_its_own_words(name: str) -> None:
    python, option = str(Message(Term(name))), in_options(Message(Term(name)))
    assert name in WORDS
    assert option == WORDS[name]
    # An advice is a sentence of Python's, a setting its own name.
    assert python == PYTHON.get(name, name)
    assert "_" not in option
    for foreign in ("None", "=", "(", "enricher", "results", "store."):
        assert foreign not in option or name in {"give_column_type", "give_field_type", "separators"}, option


def test_no_words_are_left_over() -> None:
    # Those of settings that the options check themselves, or that nobody can set wrong, are named by `name`.
    of_settings = set(BulkEnricher.__init__.__annotations__) | {
        "field_type",
        "older_than",
        "path",
        "invoiced",
    }
    calls = {"by", "columns", "prefix", "region", "split", "refresh", "store_only", "tz"}
    assert set(WORDS) <= terms() | of_settings | calls
    assert set(STORE_WORDS) == set(WORDS)
    assert set(TABLE) == set(PYTHON)


def test_an_option_is_called_what_it_is_called() -> None:
    shared = (input_options(), money_options(), column_options(), store_options(), service_options())

    def command() -> None:
        """Takes all options."""

    for options in shared:
        command = options(command)
    there = {name for option in command.__click_params__ for name in option.opts}  # type: ignore[attr-defined]
    named = {word for word in WORDS.values() if re.fullmatch(r"--[a-z-]+", word)}
    assert len(named) > 20
    # Of `store purge` and `store resolve`.
    assert named - there == {"--older-than", "--request", "--type"}


def test_a_message_is_a_text_that_can_be_said_again() -> None:
    inner = about("max_credits", "of results.problems")
    message = Message("see: ", inner, "; ", Term("ask_again"))
    assert message == "see: max_credits of results.problems; ask again for the rows that are not_sent"
    assert in_options(message) == "see: --max-credits of results.problems; run the same command again"
    assert in_options("max_credits of results.problems") == "max_credits of results.problems"
    for twin in (pickle.loads(pickle.dumps(message)), copy.deepcopy(message)):
        assert (type(twin), twin, in_options(twin)) == (Message, message, in_options(message))


def test_an_exception_has_a_plain_text() -> None:
    with pytest.raises(ConfigError) as caught:
        BulkEnricher(max_credits=-1)
    error = pickle.loads(pickle.dumps(caught.value))
    assert type(str(error)) is str
    assert str(error) == error.args[0] == error.message
    assert in_options(error.message).startswith("--max-credits must be ")


MISTAKES = {
    "--max-credits -1": (
        "--max-credits must be a whole number from 0 to 9,007,199,254,740,992 credits, or left out for no "
        "limit; got -1"
    ),
    "--credit-price x EUR": (
        "--credit-price must be the price of one credit, from 0 to 1,000,000, and its currency, as in "
        "--credit-price 0.05 EUR"
    ),
    "--column status=a.b": (
        '--column names "eb_status", which is one of the columns that are always there: rename it'
    ),
    "--by city": (
        "--by names a column that the table lacks (number 2 of 2). Its columns: 'mail', "
        "'results.problems'. If there are lines above the names of the columns, pass --skip-rows N"
    ),
    "--by mail,results.problems": (
        "--by names a column that the table lacks (number 2 of 2): pass --by once for each column, as in "
        "--by linkedin --by email"
    ),
    "--by Mail,Results.Problems=email": (
        "--by names a column that the table lacks (number 2 of 2): pass --by once for each column, as in "
        "--by linkedin --by email"
    ),
    "--refresh --store-only": (
        "--refresh asks for everything again, and --store-only asks for nothing: leave out one of them"
    ),
    "--store-only": "--store-only needs a store: pass --store FILE",
    "--default-region xx": (
        '--default-region must be a two-letter country code such as "US" or "DE", or "+" if every number '
        'begins with its country code; got "XX"'
    ),
}


@pytest.mark.parametrize(("options", "said"), MISTAKES.items())
def test_a_mistake_is_told_in_options_and_data_is_shown_as_it_is(
    tmp_path: Path, options: str, said: str
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("mail,results.problems\nana@acme.example,store.allow(…)\n")
    done = run("enrich", file, "--sandbox", "--by", "mail", *options.split())
    assert done.returncode == 2, done.stderr
    assert done.stderr.decode() == f"exactbuyer: {said}\n"


def test_an_address_in_the_environment_is_told_in_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_BASE_URL", "https://elsewhere.example")
    with pytest.raises(ConfigError) as caught:
        BulkEnricher()
    assert in_options(caught.value.args[0]).endswith("unset it, or pass --base-url")


def test_the_column_of_reasons_speaks_of_options(tmp_path: Path) -> None:
    file, output = tmp_path / "people.csv", tmp_path / "out.csv"
    file.write_text("mail\nana@acme.example bob@acme.example\n030 2345678\neve@acme.example\n")
    assert run("enrich", file, "-o", output, "--sandbox", "--by", "mail").returncode == 0
    told = output.read_text()
    assert "pass their separator, as in --split ';'" in told
    assert "write it with +, or set --default-region" in told


@pytest.mark.parametrize(("command", "has_output"), [("enrich", True), ("plan", False)])
def test_a_second_file_is_told_how_an_output_is_named(
    command: str, *, has_output: bool, tmp_path: Path
) -> None:
    done = run(command, "in.csv", "out.csv", "--by", "mail", cwd=tmp_path)
    assert done.returncode == 2
    assert b"IN must be one file: " in done.stderr
    assert (b"name the output with -o OUT" in done.stderr) == has_output


def test_each_line_says_which_program_it_is_from(tmp_path: Path, everybody: Sandbox) -> None:
    everybody.fail("status_503", request=1)
    (tmp_path / "in.csv").write_text("note\n\nid,mail\n1,ana@acme.example\n")
    done = run(
        "enrich",
        "in.csv",
        "--by",
        "mail",
        "--store",
        "none",
        "-o",
        "out.csv",
        *against(everybody),
        cwd=tmp_path,
    )
    told, receipt = done.stderr.decode().split("COMPLETE", 1)
    assert "paid" in receipt
    header, sent_again = told.splitlines()
    assert header == "exactbuyer: in.csv: the header is line 3; no line above it is looked up"
    assert re.match(r"exactbuyer: \d\d:\d\d:\d\d enrich: a request for 1 lookup was not charged", sent_again)
