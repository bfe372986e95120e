"""Every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib
import pickle
import pkgutil
import pydoc
from typing import get_type_hints

import pytest

import exactbuyer
from exactbuyer import BulkEnricher, ConfigError, FoundResult, Plan, Problem, Progress, Receipt, Results

MODULES = ["exactbuyer", *(found.name for found in pkgutil.walk_packages(exactbuyer.__path__, "exactbuyer."))]
SHOWN = {name for name in MODULES if not name.endswith(("_core", "__main__"))}


CLASSES = [
    value
    for value in vars(exactbuyer).values()
    if isinstance(value, type) and value.__module__ == "exactbuyer"
]
"""Classes whose `__module__` is not where they are written, so that doctest does not find them there."""


def examples(name: str) -> list[doctest.DocTest]:
    """The examples of a module."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = finder.find(importlib.import_module(name))
    if name == "exactbuyer":
        for kind in CLASSES:
            found += finder.find(kind, f"exactbuyer.{kind.__name__}", module=False, globs={})
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_examples(name: str) -> None:
    runner = doctest.DocTestRunner()
    for test in examples(name):
        runner.run(test)
    assert runner.summarize().failed == 0


def test_there_are_examples() -> None:
    found = {test.name for name in SHOWN for test in examples(name)}
    assert {
        f"exactbuyer.{place}"
        for place in (
            "BulkEnricher.enrich",
            "BulkEnricher.enrich_async",
            "BulkEnricher.enrich_table",
            "BulkEnricher.plan",
            "BulkEnricher.recover",
            "BulkEnricher.sandbox",
            "BulkEnricher.stream",
            "BulkEnricher.stream_async",
            "Results.preview",
            "Results.to_pandas",
            "_enrich.BlockingCalls.last_results",
            "sandbox.server.Sandbox",
            "sandbox.server.Sandbox.person",
            "sandbox.server.Sandbox.fail",
        )
    } <= found


def test_names_are_those_that_people_import() -> None:
    assert str(BulkEnricher) == "<class 'exactbuyer.BulkEnricher'>"
    assert ConfigError.__module__ == Results.__module__ == "exactbuyer"
    with pytest.raises(TypeError, match=r"^BulkEnricher\.enrich_table\(\) missing 1 required .* 'by'$"):
        BulkEnricher.sandbox().enrich_table([])  # type: ignore[call-overload]
    assert pickle.loads(pickle.dumps(BulkEnricher.enrich)) is BulkEnricher.enrich
    # The calls come before what the bases have.
    shown = pydoc.plain(pydoc.render_doc(BulkEnricher))
    assert shown.index(" enrich(") < shown.index("__copy__")
    # Names in the annotations of data are found.
    for data in (FoundResult, Plan, Problem, Progress, Receipt):
        assert get_type_hints(data)
