"""The pytest fixture and mark `exactbuyer_sandbox`, for the tests of those who use the package.

A package of its own, since pytest imports it in every run, also in those that never use it: whoever imports a
part of `exactbuyer` imports all of it.
"""

from __future__ import annotations

from difflib import get_close_matches
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exactbuyer.sandbox import Sandbox

FIXTURE = "exactbuyer_sandbox"
"""The name of the fixture, and of the mark."""


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known, so that `--strict-markers` accepts it."""
    config.addinivalue_line(
        "markers", f"{FIXTURE}(**settings): uses the fixture `{FIXTURE}`, whose Sandbox has these settings"
    )


# Last, so that marks count that other hooks have added.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets a test with the mark use the fixture, also if it does not name it: the mark alone protects it.

    The fixture comes before all others of a single test, so that none of them reaches the real service. Those
    of a wider scope come earlier, as always: they belong to other tests, too, and must not see its sandbox.
    """
    for item in items:
        names: list[str] | None = getattr(item, "fixturenames", None)
        if names is not None and (FIXTURE in names or item.get_closest_marker(FIXTURE) is not None):
            others = [name for name in names if name != FIXTURE]
            place = sum(1 for name in others if _is_wider(item, name))
            # A list of its own: pytest's belongs to all cases of a parametrized test.
            item.fixturenames = [*others[:place], FIXTURE, *others[place:]]  # type: ignore[attr-defined]


def _is_wider(item: pytest.Item, name: str) -> bool:
    """Whether a fixture lives longer than a single test. pytest has sorted these to the front."""
    # Items of other plugins may lack it.
    known: Any = getattr(item, "_fixtureinfo", None)
    found = None if known is None else known.name2fixturedefs.get(name)
    return found is not None and found[-1].scope != "function"


@pytest.fixture
def exactbuyer_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox of this test's own; `@pytest.mark.exactbuyer_sandbox(match_rate=1.0)` sets it up.

    While the test runs, every enricher that names no service uses this sandbox, also in other processes that
    the test starts, and `EXACTBUYER_OFFLINE=1` keeps all others away from the real service.
    """
    from exactbuyer.sandbox import Sandbox

    item = cast("pytest.Item", request.node)  # a fixture of a single test: its node is the test
    marker = item.get_closest_marker(FIXTURE)
    settings: dict[str, Any] = dict(marker.kwargs) if marker else {}
    # Not the fixture `monkeypatch`: a test that undoes its own changes would undo these, too.
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EXACTBUYER_OFFLINE", "1")
        _check(marker.args if marker else (), settings, [*signature(Sandbox).parameters])
        with Sandbox(**settings) as sandbox:
            environment.setenv("EXACTBUYER_BASE_URL", sandbox.url)
            environment.setenv("EXACTBUYER_API_KEY", sandbox.api_key)
            yield sandbox


def _check(unnamed: tuple[object, ...], settings: dict[str, Any], known: list[str]) -> None:
    """Fails a test whose mark has something that is not a setting."""
    mark = f"@pytest.mark.{FIXTURE}"
    if unnamed:
        pytest.fail(f"{mark} takes settings by name, as in {mark}({known[0]}=1.0)", pytrace=False)
    for name in settings:
        if name not in known:
            near = get_close_matches(name, known, 1)
            meant = f"did you mean {near[0]!r}? It" if near else "it"
            pytest.fail(f"{mark} has no setting {name!r}: {meant} has {', '.join(known)}", pytrace=False)
