"""What the pages show, runs: Python against the sandbox, commands as they are; and links lead somewhere.

A block after `<!-- needs … -->` runs too, if what it needs is at hand: a key (the sandbox takes any), a
library that is installed, or one that `stand_ins.py` imitates. Otherwise it is compiled.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pandas as pd
import pytest
from page_blocks import PAGES, ROOT, Block, blocks, name, text
from stand_ins import GIVEN_NAMES, STAND_INS

import exactbuyer
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exactbuyer import BulkEnricher

REPOSITORY = "https://github.com/exactbuyer-py/exactbuyer"
PYTHON_PAGES = [page for page in PAGES if blocks(page, "python")]
CHECKED = {"console", "json", "python", "sh", "toml"}
# Output, settings of other programs, MyST's own blocks, and code of decisions that is not in the repository.
SHOWN = {"", "dockerfile", "ini", "rust", "text", "yaml", "{eval-rst}", "{toctree}"}
# Folders of the machines that the recipes are for.
ELSEWHERE = re.compile(r'"(/Volumes|/content|/local_disk0|/var/lib/enrich|/tmp)/')


def test_there_are_pages() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/guides/pandas.md", "docs/recipes/cron.md"} <= set(
        map(name, PAGES)
    )
    assert len(PYTHON_PAGES) >= 15
    assert sum(len(blocks(page, "python")) for page in PAGES) >= 60


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_is_known(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= CHECKED | SHOWN
    # No fence is lost to a typing mistake.
    assert len(blocks(page)) * 2 == len(re.findall(r"^\s*```", text(page), re.MULTILINE))


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A folder with the files that the pages name, and a sandbox in the place of the service."""
    people = pd.read_csv(ROOT / "examples/contacts.csv", dtype=str)
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples/contacts.csv", tmp_path / "examples")
    people.to_csv(tmp_path / "people.csv", index=False)
    people.to_parquet(tmp_path / "people.parquet")
    people.to_excel(tmp_path / "people.xlsx", index=False)
    (tmp_path / "var/lib/enrich").mkdir(parents=True)
    people.to_parquet(tmp_path / "var/lib/enrich/people.parquet")
    for folder in ("Volumes/main/default/enrich", "content/drive/MyDrive", "local_disk0", "tmp"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    # Some libraries of the recipes keep their state there.
    monkeypatch.setenv("HOME", str(tmp_path))
    # Prefect gives its own server 20 s to start, which a busy machine may exceed.
    monkeypatch.setenv("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "300")
    # A page may set it; this takes it back.
    monkeypatch.setenv("EXACTBUYER_API_KEY", "any-key")
    with Sandbox() as sandbox:
        monkeypatch.setattr(exactbuyer, "BulkEnricher", _with_sandbox(sandbox))
        yield sandbox


def _with_sandbox(sandbox: Sandbox) -> type[BulkEnricher]:
    class WithSandbox(exactbuyer.BulkEnricher):
        """Reaches the sandbox where the page means the service."""

        def __init__(self, api_key: str | None = None, **settings: Any) -> None:
            settings.setdefault("base_url", sandbox.url)
            super().__init__(api_key or sandbox.api_key, **settings)

    return WithSandbox


# Some blocks show rows that stay open, and the warning is part of that.
@pytest.mark.filterwarnings("ignore::exactbuyer.IncompleteWarning")
@pytest.mark.parametrize("page", PYTHON_PAGES, ids=name)
def test_blocks_run_one_after_the_other(
    page: Path, tmp_path: Path, service: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    results: list[Any] = []
    for block in blocks(page, "python"):
        code = ELSEWHERE.sub(rf'"{tmp_path}\1/', block.code)
        # As many empty lines before it: a traceback then names the page's own line.
        compiled = compile(
            "\n" * block.line + code,
            str(page),
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        if block.needs == "pytest":
            _run_as_tests(code)
        elif _at_hand(block, names, monkeypatch):
            _run(compiled, names)
            results.append(names.get("results"))
    if name(page) == "README.md":
        # What the comments of its first and its last block say.
        assert results[0][0]["enriched_contact"]["full_name"] == "Ana Almeida"
        assert results[-1][0]["status"] == "unknown"
    USED.get(name(page), _not_used)(names)


def _not_used(_: dict[str, Any]) -> None:
    """The page itself calls what it defines."""


def _invoke_function(names: dict[str, Any]) -> None:
    event = {"identifiers": ["ana@acme.example", "bruno@acme.example"]}
    first = names["handler"](event, None)
    # Another instance: it begins with the copy, and pays for nobody again.
    store = Path(names["STORE"])
    earlier = store.with_name("earlier.db")
    store.rename(earlier)
    again = names["handler"](event, None)
    assert first["statuses"] == again["statuses"]
    assert (first["credits"], again["credits"]) == (first["statuses"].count("found"), 0)
    # The first instance comes back: it has what the other one has bought meanwhile.
    bought = names["handler"]({"identifiers": [f"person{number}@acme.example" for number in range(9)]}, None)
    store.unlink()
    earlier.rename(store)
    event["identifiers"] = [f"person{number}@acme.example" for number in range(9)]
    assert (bought["credits"] > 0, names["handler"](event, None)["credits"]) == (True, 0)


def _work(names: dict[str, Any]) -> None:
    if isinstance(names["enrich_people"], FunctionType):
        return  # the stand-in has called it
    people = "var/lib/enrich/people.parquet"
    counts = names["enrich_people"].function(people, "enriched.parquet")
    assert set(pd.read_parquet("enriched.parquet")["eb_status"]) >= {"found", "invalid"}
    assert counts["credits"] > 0


def _materialize(names: dict[str, Any]) -> None:
    if names["dagster"].Definitions is SimpleNamespace:  # the stand-in
        table = names["enriched_people"](MagicMock(), names["people"](), names["Enrichment"]())
    else:
        assets = [names["people"], names["enriched_people"]]
        resources = {"enrichment": names["Enrichment"]()}
        done = names["dagster"].materialize(assets, resources=resources)
        table = done.output_for_node("enriched_people")
    assert set(table["eb_status"]) <= {"found", "not_found", "missing", "invalid"}


def _visit(names: dict[str, Any]) -> None:
    if "app" not in names:
        return  # FastAPI is not installed
    from fastapi.testclient import TestClient

    with TestClient(names["app"]) as client:
        found = client.post("/contacts", json=["ana@acme.example"])
        assert (found.status_code, found.json()[0]["value"]) == (200, "ana@acme.example")
        assert client.post("/contacts", json=["not an identifier"]).status_code == 422
        names["app"].state.enricher.close()
        assert client.post("/contacts", json=["new@acme.example"]).status_code == 503


USED = {
    "docs/recipes/airflow.md": _work,
    "docs/recipes/dagster.md": _materialize,
    "docs/recipes/fastapi.md": _visit,
    "docs/recipes/lambda.md": _invoke_function,
}
"""What calls the functions that a page only defines."""


LIBRARIES = {"airflow", "dagster", "duckdb", "fastapi", "narwhals", "prefect"}
OUT_OF_REACH = {"Colab", "somebody who types", "a cluster", "a file of the command line"}
"""What no test here has. The code of such a block is only compiled."""


def _at_hand(block: Block, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> bool:
    if block.needs is None or block.needs == "a key":
        return True
    if block.needs in LIBRARIES and importlib.util.find_spec(block.needs) is not None:
        return True
    known = LIBRARIES | OUT_OF_REACH | set(STAND_INS) | set(GIVEN_NAMES)
    assert block.needs in known, f"{block}: nothing is known of what it needs"
    for module, stand_in in STAND_INS.get(block.needs, {}).items():
        monkeypatch.setitem(sys.modules, module, stand_in)
    names.update(GIVEN_NAMES.get(block.needs, {}))
    return block.needs in STAND_INS or block.needs in GIVEN_NAMES


def _run_as_tests(code: str) -> None:
    Path("test_page.py").write_text(code, encoding="utf-8")
    loads_plugin = any(each.value == "pytest_exactbuyer" for each in entry_points(group="pytest11"))
    plugin = [] if loads_plugin else ["-p", "pytest_exactbuyer"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, "test_page.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d+ passed", done.stdout)


def _run(compiled: Any, names: dict[str, Any]) -> None:
    if compiled.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(compiled, names))
    else:
        exec(compiled, names)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "json", "toml", "sh")], ids=name)
def test_other_code_can_be_read(page: Path) -> None:
    for block in blocks(page, "json"):
        json.loads(block.code)
    for block in blocks(page, "toml"):
        pytest.importorskip("tomllib").loads(block.code)
    for block in blocks(page, "sh"):
        done = subprocess.run(["bash", "-n"], input=block.code, text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"{block}: {done.stderr}"


COMMANDS = [
    (block, line)
    for page in PAGES
    for block in blocks(page, "console", "sh")
    for line in re.findall(
        r"^(?:\$ )?((?:.*\| )?exactbuyer .*)$", block.code.replace("\\\n", " "), re.MULTILINE
    )
]


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 15


@pytest.mark.parametrize(
    ("block", "line"), COMMANDS, ids=[f"{block}-{line}"[:80] for block, line in COMMANDS]
)
def test_commands_exist(block: Block, line: str) -> None:
    """Each command of a page is one of ours, and has its options."""
    from exactbuyer.cli._app import commands

    command = re.split(r" 2>>| \| | #", line[line.index("exactbuyer ") :])[0]
    words = shlex.split(command)[1:]
    known: Any = commands
    options: set[str] = {"--help", "--version"}
    for word in words:
        if word in getattr(known, "commands", {}):
            known = known.commands[word]
        options |= {
            option for parameter in known.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
    if known is commands or known.name == "sandbox":
        return
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
    assert given <= options, f"{block}: {given - options}"


RUN = [(block, line) for block, line in COMMANDS if block.language == "console" and not block.needs]


@pytest.mark.parametrize(("block", "line"), RUN, ids=[f"{block}-{line}"[:80] for block, line in RUN])
def test_commands_run(block: Block, line: str, service: Sandbox, tmp_path: Path) -> None:
    """A command that needs no key does what the page says, in a shell."""
    with exactbuyer.BulkEnricher(store="people.db") as enricher:
        enricher.enrich(["ana@acme.example"])
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "exactbuyer"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m exactbuyer "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    environment = os.environ | {"EXACTBUYER_OFFLINE": "1", "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{block}: {done.stderr}"


LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)|^\[[^]]+\]: (?P<below>\S+)$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_what_is_there(page: Path) -> None:
    """Links within the repository, relative or absolute. Other hosts are not asked."""
    without_code = re.sub(r"^```.*?^```$", "", text(page), flags=re.MULTILINE | re.DOTALL)
    for link in LINK.finditer(re.sub(r"`[^`]*`", "", without_code)):
        target = link["target"] or link["below"]
        ours = re.match(rf"{REPOSITORY}/(?:blob|raw|tree)/main/(?P<path>[^#]+)(?P<heading>#.*)?$", target)
        if ours:
            place, heading = ROOT / ours["path"], ours["heading"]
        elif re.match(r"https?:|mailto:", target):
            continue
        else:
            path, _, heading = target.partition("#")
            place = page.parent / path if path else page
        assert place.exists(), f"{name(page)}: {target}"
        if heading and place.suffix == ".md":
            assert heading.lstrip("#") in _headings(place), f"{name(page)}: {target}"


def _headings(page: Path) -> set[str]:
    """The anchors of a page, as a forge makes them."""
    titles = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_paths_in_the_source_lead_to_pages() -> None:
    """Comments, messages and manifests that name a page of the documentation."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    named = {
        # Also as the parts of a path: "docs" / "design" / "store.md".
        (file, path.replace('" / "', "/"))
        for file in tracked.stdout.splitlines()
        if file.endswith((".rs", ".py", ".toml", ".md", ".yml")) and (ROOT / file).exists()
        for path in re.findall(
            r"\bdocs(?:(?:/|\" / \")[\w-]+)+\.md\b", (ROOT / file).read_text(encoding="utf-8")
        )
    }
    assert len(named) >= 10
    assert {(file, path) for file, path in named if not (ROOT / path).exists()} == set()
