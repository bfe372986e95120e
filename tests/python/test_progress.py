"""When progress is shown, where, and that it never breaks what it watches. The clock is a test's own."""

from __future__ import annotations

import dataclasses
import logging
import sys
import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from exactbuyer import Progress
from exactbuyer.exceptions import ConfigError
from exactbuyer.report import progress
from exactbuyer.report.progress import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTS: dict[str, Any] = {
    "rows": 400,
    "done": 100,
    "open_rows": 0,
    "credits": 70,
    "credits_in_doubt": 0,
    "in_flight": 1,
    "requests_last_minute": 2,
    "requests_left": 3,
    "limited_by": "requests_per_minute",
    "left_s": 3.0,
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def ticks(watch: Watch, clock: SimpleNamespace, until_s: float, step_s: float = 0.1) -> None:
    began = clock.now
    while clock.now < began + until_s:
        clock.now += step_s
        watch.tick(lambda: COUNTS)


def test_without_a_terminal_there_is_a_line_every_thirty_seconds(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "_in_terminal", lambda: False)
    monkeypatch.setattr(progress, "_in_notebook", lambda: False)
    caplog.set_level(logging.INFO, "exactbuyer")
    watch = Watch("auto", 400)
    ticks(watch, clock, 29.5)
    assert caplog.messages == []
    ticks(watch, clock, 65)
    assert len(caplog.messages) == 3
    assert "100/400 rows  25%" in caplog.messages[0]
    assert "limited by requests_per_minute" in caplog.messages[0]
    watch.tick(lambda: COUNTS | {"done": 400, "open_rows": 20}, last=True)
    assert caplog.messages[3].startswith("380/400 rows  95% | 20 open | 70 credits")


def test_a_bar_spares_what_is_soon_over(clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int | None] = []

    class Bar:
        n = 0
        total = 400

        def set_description_str(self, text: str, *, refresh: bool) -> None:
            assert "limited by" in text

        def refresh(self) -> None:
            drawn.append(self.n)

        def close(self) -> None:
            drawn.append(None)

    monkeypatch.setattr(progress, "_in_terminal", lambda: True)
    monkeypatch.setattr(progress, "_tqdm", lambda total: Bar())
    monkeypatch.setattr(progress, "_columns", lambda: None)
    short = Watch("auto", 400)
    ticks(short, clock, 0.8)
    short.tick(lambda: COUNTS, last=True)
    short.close()
    assert drawn == []
    long = Watch("auto", 400)
    ticks(long, clock, 2.05)
    long.close()
    assert drawn[0] == 100
    assert drawn[-1] is None
    assert 8 <= len(drawn) - 1 <= 12


def test_a_function_gets_what_cannot_be_changed(clock: SimpleNamespace) -> None:
    seen: list[Progress] = []
    watch = Watch(seen.append, 100)
    watch.tick(lambda: COUNTS)
    watch.tick(lambda: COUNTS | {"done": 100}, last=True)
    assert [shown.done for shown in seen] == [100, 100]
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen[0].done = 1  # type: ignore[misc]


def test_a_function_that_fails_is_asked_no_more(
    clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    calls = 0

    def fail(_: Progress) -> None:
        nonlocal calls
        calls += 1
        raise ZeroDivisionError

    watch = Watch(fail, 100)
    ticks(watch, clock, 5)
    assert calls == 1
    assert "switched off" in caplog.text


def test_a_display_that_is_none_costs_nothing(clock: SimpleNamespace) -> None:
    asked = 0

    def counts() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return COUNTS

    watches: list[tuple[Callable[..., object] | bool, int]] = [(False, 0), (lambda _: None, 10)]
    for option, expected in watches:
        asked = 0
        watch = Watch(option, 400)
        for _ in range(1_000):
            clock.now += 0.001
            watch.tick(counts)
        # However often it is asked, the core is asked ten times a second at most.
        assert expected - 1 <= asked <= expected + 1
    with pytest.raises(ConfigError, match="progress must be 'auto', True, False or a function"):
        Watch("loud", 1)


@pytest.fixture
def terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> pytest.CaptureFixture[str]:
    """A terminal of 120 columns, and what is written to it."""
    monkeypatch.setattr(progress, "_in_terminal", lambda: True)
    monkeypatch.setattr(progress, "_columns", lambda: 119)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return capsys


RED, YELLOW = "\x1b[31m", "\x1b[33m"


def lines_in(terminal: pytest.CaptureFixture[str]) -> list[str]:
    written = terminal.readouterr().err
    return [line for line in written.replace("\n", "\r").split("\r") if line.strip()]


def test_a_bar_that_is_complete_is_full(clock: SimpleNamespace, terminal: pytest.CaptureFixture[str]) -> None:
    watch = Watch(True, 400)
    watch.tick(lambda: COUNTS | {"done": 400}, last=True)
    line = lines_in(terminal)[-1]
    assert line.startswith("400/400 rows 100% | 70 credits | 2 req/min")
    assert line.count("█") == 12
    assert RED not in line


@pytest.mark.parametrize("done", [400, 200])
def test_a_bar_shows_what_is_open_in_number_and_colour(
    done: int, clock: SimpleNamespace, terminal: pytest.CaptureFixture[str]
) -> None:
    watch = Watch(True, 400)
    # Of the rows that are done, a hundred have no answer.
    watch.tick(lambda: COUNTS | {"done": done, "open_rows": 100})
    line = lines_in(terminal)[-1]
    assert f"{done - 100}/400 rows" in line
    assert "100 open" in line
    assert YELLOW in line
    watch.tick(lambda: COUNTS | {"done": done, "open_rows": 100}, last=True)
    line = lines_in(terminal)[-1]
    # At the end, what was never done is open, too.
    assert f"{done - 100}/400 rows" in line
    assert f"{500 - done} open" in line
    assert RED in line
    assert line.count("█") < 12


def test_no_colour_where_none_is_wanted(
    clock: SimpleNamespace, terminal: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Watch(True, 400).tick(lambda: COUNTS | {"open_rows": 100}, last=True)
    line = lines_in(terminal)[-1]
    assert "400 open" in line
    assert RED not in line


def test_a_line_is_written_above_the_bar(
    clock: SimpleNamespace, terminal: pytest.CaptureFixture[str]
) -> None:
    watch = Watch(True, 400)
    watch.tick(lambda: COUNTS)
    watch.say("stopping")
    watch.close()
    lines = lines_in(terminal)
    assert "stopping" in lines
    # The bar is drawn again below it.
    assert "100/400 rows" in lines[lines.index("stopping") + 1 :][-1]


def in_notebook(monkeypatch: pytest.MonkeyPatch, *, widgets: bool) -> None:
    """Makes the process look like a kernel, with or without the package that draws bars in notebooks."""
    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setattr(progress, "find_spec", lambda name: name if widgets else None)


def test_in_a_notebook_the_bar_of_an_incomplete_run_is_red(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    styles: list[str | None] = []
    closed_at: list[tuple[int, int | None]] = []

    class Bar:
        container = "a widget"
        n = 0
        total: int | None = None

        def set_description_str(self, text: str, *, refresh: bool) -> None: ...
        def refresh(self) -> None: ...
        def display(self, *, bar_style: str | None = None) -> None:
            styles.append(bar_style)

        def close(self) -> None:
            closed_at.append((self.n, self.total))

    in_notebook(monkeypatch, widgets=True)
    monkeypatch.setattr(progress, "_tqdm", lambda total: Bar())
    watch = Watch(True, None)
    watch.tick(lambda: COUNTS)
    watch.tick(lambda: COUNTS | {"open_rows": 10})
    clock.now += 1
    watch.tick(lambda: COUNTS | {"open_rows": 10})
    watch.tick(lambda: COUNTS | {"done": 400, "open_rows": 10}, last=True)
    assert styles == ["warning", "danger"]
    # tqdm shows a bar that is closed before its total as failed.
    assert closed_at == [(390, 400)]


@pytest.mark.parametrize("option", ["auto", True])
def test_in_a_notebook_without_widgets_there_is_a_line_every_thirty_seconds(
    option: Any, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    in_notebook(monkeypatch, widgets=False)
    caplog.set_level(logging.INFO, "exactbuyer")
    watch = Watch(option, 400)
    ticks(watch, clock, 65)
    assert len(caplog.messages) == (2 if option == "auto" else 3)
    watch.tick(lambda: COUNTS | {"done": 400, "open_rows": 20}, last=True)
    assert caplog.messages[-1].startswith("380/400 rows  95% | 20 open | 70 credits")


@pytest.mark.parametrize("last", [True, False])
def test_a_text_bar_in_a_notebook_shows_what_is_open(
    last: bool,
    clock: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    # As in Spyder, which has a kernel and draws no widgets.
    in_notebook(monkeypatch, widgets=True)
    monkeypatch.setenv("SPYDER_ARGS", "[]")
    Watch(True, 400).tick(lambda: COUNTS | {"open_rows": 10}, last=last)
    assert caplog.text == ""
    assert ("310 open" if last else "10 open") in capsys.readouterr().err


@pytest.mark.parametrize("last", [True, False])
def test_only_a_run_that_is_not_over_goes_on_after_a_failure(
    last: bool, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    Watch(lambda _: 1 / 0, 100).tick(lambda: COUNTS, last=last)
    assert "switched off" in caplog.text
    assert ("the run goes on" in caplog.text) is not last


def test_a_narrow_line_keeps_what_is_open() -> None:
    shown = Progress(rows=50_000, done=40_000, open_rows=2_000, credits=9_000, limited_by="retries")
    assert shown.within(40) == "38,000/50,000 76% | 2,000 open | retries"
    assert "2,000 open" in shown.within(30)


def test_a_bar_changes_no_filters_of_warnings(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # They belong to the process: if two threads changed them at once, all warnings could be lost for good.
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("the filters were changed")

    for name in ("simplefilter", "filterwarnings", "catch_warnings"):
        monkeypatch.setattr(warnings, name, refuse)
    watch = Watch(True, 400)
    watch.tick(lambda: COUNTS)
    watch.tick(lambda: COUNTS, last=True)
    assert "100/400 rows" in capsys.readouterr().err


def test_an_async_function_is_refused() -> None:
    async def show(_: Progress) -> None: ...

    class Shows:
        async def __call__(self, _: Progress) -> None: ...

    for shows in (show, Shows()):
        with pytest.raises(ConfigError, match="progress must not be an async function"):
            Watch(shows, 400)
