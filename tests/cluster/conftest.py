"""One engine a run of pytest: that of the environment variable `CLUSTER_ENGINE`; and sandboxes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from engine import Engine
from engines import ENGINES
from vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = ENGINES[os.environ["CLUSTER_ENGINE"]]()
    engine.folder = tmp_path_factory.mktemp("engine")
    engine.start(engine.folder)
    yield engine
    engine.stop()


@pytest.fixture
def vendors() -> Iterator[Callable[..., Vendor]]:
    """Makes sandboxes, each in a process of its own."""
    made: list[Vendor] = []

    def make(**options: object) -> Vendor:
        made.append(Vendor(**options))
        return made[-1]

    yield make
    for vendor in made:
        vendor.close()
