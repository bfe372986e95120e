"""The progress of a run, shown while it runs. A failure to show it never stops the run.

Owns the bar, the lines without a terminal and the call of the caller's function. Knows only the core's counts
of a run.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias

from exactbuyer.exceptions import ConfigError

from .log import announce, log, write_line
from .wording import as_given, clock, count

SHOW_AFTER_S = 1.0
DRAW_EVERY_S = 0.1
LINE_EVERY_S = 30.0


LimitedBy: TypeAlias = Literal[
    "",
    "requests_per_minute",
    "max_concurrency",
    "max_in_doubt",
    "max_credits",
    "the service's pause",
    "retries",
    "the source",
    "the consumer",
    "another run",
    "latency",
]
"""What limits the speed of a run; `""` if nothing does."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The progress of a run.

    Attributes:
        rows: All rows of the run; `None` if a stream does not know how many it has.
        done: Rows whose outcome is known.
        open_rows: The rows in `done` that are open: `unknown`, or `not_sent` and neither purged nor dropped.
        credits: Credits that are known to be charged.
        credits_in_doubt: Credits that may be charged in addition: in doubt, or in flight.
        in_flight: Requests in flight.
        requests_last_minute: Requests in the last 60 s, of all enrichers in this process that share the rate
            limit.
        requests_left: Requests still to be sent, as far as is known.
        limited_by: What limits the speed of the run, such as `"requests_per_minute"`; `""` if nothing does.
        left_s: Estimated seconds until the end; `None` if there is no estimate.
        elapsed_s: Seconds since the beginning.
    """

    rows: int | None = None
    done: int = 0
    open_rows: int = 0
    credits: int = 0
    credits_in_doubt: int = 0
    in_flight: int = 0
    requests_last_minute: int = 0
    requests_left: int = 0
    limited_by: LimitedBy = ""
    left_s: float | None = None
    elapsed_s: float = 0.0

    @property
    def answered(self) -> int:
        """Rows that are done and not open."""
        return self.done - self.open_rows

    def __str__(self) -> str:
        if self.rows is None:
            rows, share = count(self.answered, "row"), ""
        else:
            rows, share = f"{self.answered:,}/{count(self.rows, 'row')}", f" {self._percent():3}%"
        doubt = f" (+ up to {self.credits_in_doubt:,} in doubt)" if self.credits_in_doubt else ""
        parts = [
            rows + share,
            *([f"{self.open_rows:,} open"] if self.open_rows else []),
            count(self.credits, "credit") + doubt,
            f"{self.requests_last_minute:,} req/min",
        ]
        if self.done != self.rows:
            parts += [f"{clock(self.left_s)} left"] if self.left_s is not None else []
            parts += [f"limited by {self.limited_by}"] if self.limited_by else []
        return " | ".join(parts)

    def within(self, columns: int) -> str:
        """The same text in at most `columns` characters: shorter, and without the least important parts.

        Args:
            columns: The available width, in characters. What limits the run is dropped last.
        """
        if len(str(self)) <= columns:
            return str(self)
        answered = f"{self.answered:,}"
        rows = answered if self.rows is None else f"{answered}/{self.rows:,} {self._percent()}%"
        doubt = f" (+{self.credits_in_doubt:,}?)" if self.credits_in_doubt else ""
        left = f"{clock(self.left_s)} left" if self.left_s is not None and self.done != self.rows else ""
        parts = [
            rows,
            f"{self.open_rows:,} open" if self.open_rows else "",
            f"{self.credits:,} cr{doubt}",
            f"{self.requests_last_minute:,}/min",
            left,
            self.limited_by if self.done != self.rows else "",
        ]
        # The rate goes first, then the credits, then the time that is left.
        for spared in (3, 2, 4):
            text = " | ".join(filter(None, parts))
            if len(text) <= columns:
                return text
            parts[spared] = ""
        return " | ".join(filter(None, parts))[:columns]

    def _percent(self) -> int:
        return 100 * self.answered // self.rows if self.rows else 100


ProgressOption: TypeAlias = "Literal['auto'] | bool | Callable[[Progress], object]"
"""How progress is shown: by itself, with a bar, not at all, or by a function that is called with it."""


class Display:
    """Shows the progress of a run."""

    every_s = DRAW_EVERY_S

    def show(self, progress: Progress, *, last: bool) -> None:
        """Shows it; `last`: the run is over, or nobody waits for it any more."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Writes another line to the terminal."""
        write_line(text)

    def close(self) -> None:
        """Shows nothing more."""


class Watch:
    """Reads the progress of a run as often as its display needs it; with `"auto"`, not in the first second.

    Args:
        option: The caller's `progress`.
        total: Rows of the whole run, where they are known.
    """

    def __init__(self, option: object, total: int | None) -> None:
        self._display = _display(option)
        self.total = total
        """Rows of the whole run; `None` if that is not known."""
        self._began = time.monotonic()
        # A display that the caller asks for is shown at once, so even the shortest run shows its end.
        self._has_shown = option is True or callable(option)
        patience_s = max(SHOW_AFTER_S, getattr(self._display, "every_s", 0))
        self._due = self._began + (0.0 if self._has_shown else patience_s)

    def tick(self, counts: Callable[[], Mapping[str, Any]], *, last: bool = False) -> None:
        """Shows the progress of the run, if it is time.

        Args:
            counts: Returns the core's counts; called only when they are shown.
            last: The run is over, or nobody waits for it any more: a display that has shown anything shows
                the end, too, in which all rows without an answer are open. Then it is taken away.
        """
        display, now = self._display, time.monotonic()
        try:
            if display is not None and (self._has_shown if last else now >= self._due):
                self._due = now + display.every_s
                self._has_shown = True
                display.show(self._progress(counts(), now, last=last), last=last)
        except Exception:  # noqa: BLE001 - whatever the function of the user raises
            goes_on = "" if last else "; the run goes on"
            text = "the progress display failed and is switched off%s"
            log(logging.WARNING, text, goes_on, exc_info=True)
            self.close()
        if last:
            self.close()

    def interrupted(self) -> None:
        """No longer calls the caller's function.

        The function itself may have interrupted the run, and might do so again. Besides, a run that nobody
        waits for may end in any thread, and while locks are held.
        """
        if isinstance(self._display, _Function):
            self.close()

    def say(self, text: str) -> None:
        """Writes a line to stderr, above a bar."""
        with suppress(Exception):
            (self._display or Display()).say(text)

    def close(self) -> None:
        """Removes the display."""
        display, self._display = self._display, None
        if display is not None:
            with suppress(Exception):
                display.close()

    def _progress(self, counts: Mapping[str, Any], now: float, *, last: bool) -> Progress:
        known: dict[str, Any] = {**counts, "rows": self.total, "elapsed_s": now - self._began}
        if last:
            rows = counts["rows"] if self.total is None else self.total
            open_rows = rows - (counts["done"] - counts["open_rows"])
            known |= {"rows": rows, "done": rows, "open_rows": open_rows, "left_s": None}
        return Progress(**known)


class _Function(Display):
    def __init__(self, function: Callable[[Progress], object]) -> None:
        self._function = function

    def show(self, progress: Progress, *, last: bool) -> None:  # noqa: ARG002
        self._function(progress)


class _Lines(Display):
    every_s = LINE_EVERY_S

    def show(self, progress: Progress, *, last: bool) -> None:  # noqa: ARG002
        announce(str(progress))


class _Bar(Display):
    def __init__(self) -> None:
        self._bar: Any = None

    def show(self, progress: Progress, *, last: bool) -> None:
        if self._bar is None:
            self._bar = _tqdm(progress.rows)
        bar = self._bar
        if last:
            # tqdm shows a bar that ends before its total as failed.
            bar.total = progress.rows
        bar.n = progress.answered
        columns = _columns()
        text = str(progress) if columns is None else progress.within(columns)
        if columns is not None and progress.rows is not None:
            # The bar is what can be spared.
            bar.bar_format = "{desc} {bar:12}" if len(text) + 13 <= columns else "{desc}"
        if progress.open_rows:
            _mark_open(bar, last=last)
        bar.set_description_str(text, refresh=False)
        bar.refresh()

    def say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        super().say(text)
        if self._bar is not None:
            self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _mark_open(bar: Any, *, last: bool) -> None:
    """Colours a bar: rows have no answer."""
    if hasattr(bar, "container"):
        # A widget of a notebook. In some of them, as in Spyder, tqdm draws its text bar.
        bar.display(bar_style="danger" if last else "warning")
    elif _in_terminal() and not os.environ.get("NO_COLOR"):
        bar.colour = "red" if last else "yellow"


def _columns() -> int | None:
    """The width of the terminal, minus one column for the cursor; `None` if there is no terminal."""
    if _in_notebook() or not _in_terminal():
        return None
    try:
        return max(os.get_terminal_size(sys.stderr.fileno()).columns - 1, 1)
    except (OSError, ValueError):
        return None


def _tqdm(total: int | None) -> Any:
    # Not `tqdm.autonotebook`, which warns each time. The filters of warnings belong to the whole process, so
    # they cannot be changed for it here: other threads may change them at the same time.
    draws_widgets = _in_notebook() and not _in_qt_console()
    kind = import_module("tqdm.notebook" if draws_widgets else "tqdm.std").tqdm
    layout = "{bar}{desc}" if draws_widgets else "{desc} {bar:12}"
    # Made here once, for all subclasses: they share the places of their bars.
    kind.get_lock()
    # Without tqdm's monitor thread, which is not needed: if it cannot be started, tqdm warns.
    bar: Any = type("Bar", (kind,), {"monitor_interval": 0})
    return bar(
        total=total, bar_format=layout if total is not None else "{desc}", leave=True, dynamic_ncols=True
    )


def _display(option: object) -> Display | None:
    if option is True:
        return _Lines() if _lacks_widgets() else _Bar()
    if option is False:
        return None
    if isinstance(option, str) and option == "auto":
        return _Bar() if (_in_notebook() or _in_terminal()) and not _lacks_widgets() else _Lines()
    if callable(option):
        if any(map(inspect.iscoroutinefunction, (option, type(option).__call__))):
            raise ConfigError(
                "progress must not be an async function, because nothing awaits it: pass a normal one"
            )
        return _Function(option)
    raise ConfigError(
        f"progress must be 'auto', True, False or a function that takes a Progress; "
        f"got {as_given(option, ('auto',), is_word=True)}"
    )


def _in_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        # There may be no stderr at all, as under pythonw, or a closed one.
        return False


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def _in_qt_console() -> bool:
    """Whether this is a console such as Spyder's, which has a kernel but draws no widgets."""
    if any(name == "QT_API" or name.startswith("SPYDER") for name in os.environ):
        return True
    shell = type(sys.modules["IPython"].get_ipython()).__name__.lower()
    return "qt" in shell or "spyder" in shell


def _lacks_widgets() -> bool:
    """Whether this is a notebook without the package that draws bars in it.

    A text bar would add an output to the page each time it is drawn.
    """
    return _in_notebook() and find_spec("ipywidgets") is None
