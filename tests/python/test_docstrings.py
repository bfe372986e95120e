"""Every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import exactbuyer

MODULES = ["exactbuyer", *(found.name for found in pkgutil.walk_packages(exactbuyer.__path__, "exactbuyer."))]
SHOWN = {name for name in MODULES if not name.endswith(("_core", "__main__"))}


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_examples(name: str) -> None:
    failed = doctest.testmod(importlib.import_module(name))
    assert failed.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {
        test.name for name in SHOWN for test in finder.find(importlib.import_module(name)) if test.examples
    }
    assert {
        f"exactbuyer.{place}"
        for place in (
            "_enrich.BlockingCalls.enrich",
            "_enrich.BlockingCalls.stream",
            "_enrich.BlockingCalls.recover",
            "_enrich_async.AwaitableCalls.enrich_async",
            "_enrich_async.AwaitableCalls.stream_async",
            "_enrich.BlockingCalls.last_results",
            "_plan.PlanCalls.plan",
            "results.Results.to_pandas",
            "results.Results.preview",
            "enricher.BulkEnricher.sandbox",
            "sandbox.server.Sandbox",
            "sandbox.server.Sandbox.person",
            "sandbox.server.Sandbox.fail",
        )
    } <= found
