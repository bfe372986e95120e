"""How a run ended, and what to do next: the last line of its receipt. Data and words only."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from exactbuyer.report.wording import count

from ._words import RESOLVE
from .exit_codes import ExitCode

if TYPE_CHECKING:
    from exactbuyer.report.receipt import Receipt

    from ._command_options import CommandOptions

WHY_BROKEN_OFF = {
    ExitCode.INTERRUPTED: "stopped by Ctrl-C",
    ExitCode.TERMINATED: "stopped by SIGTERM",
    ExitCode.PIPE_CLOSED: "stopped, as nobody reads the output any more",
}
_BROKEN_OFF = {ExitCode.BUG, ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.FILES, ExitCode.PIPE_CLOSED}


class KeptOutput(NamedTuple):
    """The rows that a stopped run could still write, if no store has all of its answers."""

    where: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended.

    Attributes:
        exit_code: The exit code.
        receipt: The receipt of the run.
        input_rows: How many rows the input has; `None` if that is unknown.
        is_whole: The output is in its place, with every row.
        costs: Lookups cost money: the service is not a sandbox.
        is_stored: A store has all answers.
        unstored: How many answers the store does not have; 0 without a store.
        message: What went wrong, in one line; empty if nothing did.
        kept: The output that was kept, if the run did not complete and no store has all answers.
        lost_credits: Credits for answers that are then lost.
    """

    exit_code: ExitCode
    receipt: Receipt
    input_rows: int | None
    is_whole: bool
    costs: bool
    is_stored: bool
    unstored: int = 0
    message: str = ""
    kept: KeptOutput | None = None
    lost_credits: int = 0

    def ended_by(self, signal: ExitCode) -> RunResult:
        """The same result of a command that ends by the signal of this exit code.

        Also after a signal that came too late to change anything: a shell whose command ended in another way
        would go on, and pay for the next file.
        """
        if self.exit_code is signal:
            return self
        came = WHY_BROKEN_OFF[signal] + (" when the output was complete" if self.is_whole else "")
        return replace(self, exit_code=signal, message=f"{self.message}; {came}" if self.message else came)

    @property
    def spent(self) -> bool:
        """Whether something was paid for, or may have been."""
        return self.costs and bool(self.receipt.credits or self.receipt.credits_in_doubt)

    @property
    def is_lost(self) -> bool:
        """Whether something that was paid for is neither in its place nor in any store."""
        return self.spent and not (self.is_whole or self.is_stored)


def next_step(result: RunResult, options: CommandOptions, output: str) -> str:
    """What to do next."""
    # If the store is gone, it is not known which answers it lacks.
    in_store = result.receipt.in_store and bool(result.is_stored or result.unstored)
    again = again_in_words(options, in_store=in_store, spent=result.spent)
    if in_store and _has_doubts(result.receipt):
        # Until they are resolved, another run leaves these rows out.
        store = f" --store {shlex.quote(options['store'])}" if options["store"] else ""
        again = f"check the service's usage page, then exactbuyer store{store} {RESOLVE}; then {again}"
    if result.is_lost:
        return _salvaged(result, again)
    if result.exit_code is ExitCode.PIPE_CLOSED and not result.is_stored:
        why = "nothing was paid for" if result.costs else "invented people cost nothing"
        return f"nothing: the program that read the output has ended, and {why}"
    if result.exit_code in _BROKEN_OFF:
        return again
    step = _after_the_end(result, options, again, in_store=in_store)
    if not result.unstored:
        return step or f"nothing: {output} has every row"
    are = "is" if result.unstored == 1 else "are"
    keep = f"Keep {output}: {count(result.unstored, 'answer')} in it {are} not in the store"
    return f"{f'{step}. ' if step else ''}{keep}. If you run it again, pass another -o"


def _has_doubts(receipt: Receipt) -> bool:
    """Whether requests have no answer, or were in flight when the run was left."""
    return bool(receipt.unknown or (receipt.under_way and receipt.credits_in_doubt))


def _after_the_end(result: RunResult, options: CommandOptions, again: str, *, in_store: bool) -> str:
    """What to do about the rows; empty if there is nothing to do."""
    receipt = result.receipt
    if receipt.unknown and not in_store:
        return "check the service's usage page: asking again for unknown rows may pay for them twice"
    if receipt.unknown:
        return again
    if receipt.open_rows and options["store_only"]:
        return "the store does not have these: run it without --store-only to buy them"
    if receipt.open_rows:
        return f"fix what stopped it, and {again}"
    if receipt.invalid or receipt.rejected:
        return f"correct the rows that {options['prefix']}reason names, and {again}"
    return ""


def title_of(result: RunResult) -> str | None:
    """The title of the receipt of a run that did not complete; `None`: the usual title."""
    receipt = result.receipt
    if result.is_whole:
        return None
    parts: list[str] = []
    if receipt.open_rows:
        parts.append(f"{receipt.open_rows:,} of the {count(receipt.rows, 'row')} read so far are open")
    if result.input_rows is None and not receipt.open_rows:
        parts.append(f"stopped after {count(receipt.rows, 'row')}")
    if result.input_rows is not None and result.input_rows > receipt.rows:
        unread = result.input_rows - receipt.rows
        parts.append(f"{unread:,} of {count(result.input_rows, 'row')} were not read")
    if not parts and result.exit_code is not ExitCode.PIPE_CLOSED:
        parts.append("every row has its answer, the output is not written")
    return f"INCOMPLETE: {'; '.join(parts)}" if parts else None


def again_in_words(options: CommandOptions, *, in_store: bool, spent: bool) -> str:
    """What the same command would do, and pay for, if it were run again."""
    days = options["max_age_days"]
    if not in_store:
        return f"run the same command again{': it pays for everybody again' if spent else ''}"
    # Both ignore stored answers, so the same command would ignore what this run bought, too.
    unkept = "--refresh" if options["refresh"] else "--max-age 0" if days == 0 else None
    if unkept is not None and not spent:
        return "run the same command again"
    if unkept is not None:
        return (
            f"run the same command without {unkept}: what this run bought is in the store; with it you pay "
            f"for everybody again"
        )
    again = "run the same command again: it pays only for the rest"
    if days is None:
        return again
    return (
        f"{again}, and for answers older than {days:g} {'day' if days == 1 else 'days'} by then (--max-age)"
    )


def _salvaged(result: RunResult, again: str) -> str:
    """For a run that did not end, and whose answers are not all in a store: what was kept, what is lost."""
    kept = (
        "nothing was kept"
        if result.kept is None
        else f"{result.kept.where} has {count(result.kept.rows, 'row')}"
    )
    lost = f"; answers worth {count(result.lost_credits, 'credit')} are lost" if result.lost_credits else ""
    if result.receipt.in_store:
        left = f", among them {count(result.unstored, 'answer')} that the store does not have"
        is_whole = result.kept and result.unstored and not result.lost_credits
        return f"{kept}{left if is_whole else ''}{lost}; {again}"
    if result.kept is None and result.exit_code is ExitCode.PIPE_CLOSED:
        kept, lost = "nothing was kept of what nobody reads any more", ""
    return f"{kept}{lost}; running it again pays for everybody again: use --store FILE"
