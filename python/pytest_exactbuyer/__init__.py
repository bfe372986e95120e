"""The pytest fixture `exactbuyer_sandbox`, for the tests of those who use the package.

A package of its own, since pytest imports it in every run, also in those that never use it: whoever imports a
part of `exactbuyer` imports all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exactbuyer.sandbox import Sandbox


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known, so that `--strict-markers` accepts it."""
    config.addinivalue_line(
        "markers", "exactbuyer_sandbox(**settings): how the fixture `exactbuyer_sandbox` sets its Sandbox up"
    )


@pytest.fixture
def exactbuyer_sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox of this test's own; `@pytest.mark.exactbuyer_sandbox(match_rate=1.0)` sets it up.

    While the test runs, `EXACTBUYER_OFFLINE=1` keeps every enricher away from the real service.
    """
    from exactbuyer.sandbox import Sandbox

    monkeypatch.setenv("EXACTBUYER_OFFLINE", "1")
    item = cast("pytest.Item", request.node)  # a fixture of a single test: its node is the test
    marker = item.get_closest_marker("exactbuyer_sandbox")
    settings: dict[str, Any] = dict(marker.kwargs) if marker else {}
    with Sandbox(**settings) as sandbox:
        yield sandbox
