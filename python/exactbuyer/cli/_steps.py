"""What to do next, once a run is over: the last line of what is said of it. Words only."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from exactbuyer.wording import count

from .endings import Ending

if TYPE_CHECKING:
    from ._given import Given
    from ._runs import Done

_BROKEN_OFF = {Ending.BUG, Ending.INTERRUPTED, Ending.TERMINATED, Ending.FILES, Ending.PIPE_CLOSED}


def next_step(done: Done, given: Given, output: str) -> str:
    """What to do next.

    Args:
        done: What became of the run.
        given: What the command was told.
        output: What the output is called; empty if it is standard output.
    """
    again = again_in_words(given, in_store=done.receipt.in_store, spent=done.spent)
    if done.ending in _BROKEN_OFF or done.is_unkept:
        return _after_breaking_off(done, again)
    return _after_the_end(done, given, output, again)


def _after_the_end(done: Done, given: Given, output: str, again: str) -> str:
    receipt = done.receipt
    if receipt.unknown:
        resolve = f"exactbuyer store{_store_option(given)} resolve resend, or drop; then {again}"
        rest = (
            f", then {resolve}"
            if receipt.in_store
            else ": asking again for unknown rows may pay for them twice"
        )
        return f"compare the vendor's usage page{rest}"
    if receipt.not_sent and given["store_only"]:
        return "the store does not have these: run it without --store-only to buy them"
    if receipt.not_sent:
        return f"put right what stopped it, and {again}"
    if receipt.invalid or receipt.rejected:
        return f"correct the rows that {given['prefix']}reason names, and {again}"
    return f"nothing: {output or 'the output'} has every row"


def _after_breaking_off(done: Done, again: str) -> str:
    if done.receipt.in_store:
        return again
    if done.is_unkept:
        return _salvaged(done)
    if done.ending is Ending.PIPE_CLOSED:
        why = "nothing was paid for" if done.costs else "invented people cost nothing"
        return f"nothing: whoever read the output has gone, and {why}"
    return again


def title_of(done: Done) -> str | None:
    """What stands above the receipt of a run that did not come to its end; `None`: the usual."""
    receipt = done.receipt
    if done.is_whole:
        return None
    parts: list[str] = []
    if receipt.open_rows:
        parts.append(f"{receipt.open_rows:,} of the {count(receipt.rows, 'row')} read so far are open")
    if done.input_rows is None and not receipt.open_rows:
        parts.append(f"stopped after {count(receipt.rows, 'row')}")
    if done.input_rows is not None and done.input_rows > receipt.rows:
        unread = done.input_rows - receipt.rows
        parts.append(f"{unread:,} of {count(done.input_rows, 'row')} were not read")
    if not parts and done.ending is not Ending.PIPE_CLOSED:
        parts.append("every row has its answer, the output is not written")
    return f"INCOMPLETE: {'; '.join(parts)}" if parts else None


def again_in_words(given: Given, *, in_store: bool, spent: bool) -> str:
    """What the same command would do, and pay for, if it were run again.

    Args:
        given: What the command was told.
        in_store: A store keeps what was paid for.
        spent: Something was paid for, or may have been.
    """
    days = given["max_age_days"]
    if not in_store:
        return f"run the same command again{': it pays for everybody again' if spent else ''}"
    # Of what was bought before, both want to know nothing; so of what this run bought.
    unkept = "--refresh" if given["refresh"] else "--max-age 0" if days == 0 else None
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


def _salvaged(done: Done) -> str:
    """Of a run without a store that did not come to its end: what of it is left, and what is lost."""
    kept = (
        "nothing was kept" if done.kept is None else f"{done.kept.where} has {count(done.kept.rows, 'row')}"
    )
    lost = f"; answers worth {count(done.lost_credits, 'credit')} are lost" if done.lost_credits else ""
    if done.kept is None and done.ending is Ending.PIPE_CLOSED:
        kept, lost = "nothing was kept of what nobody reads any more", ""
    return f"{kept}{lost}; running it again pays for everybody again: use --store FILE"


def _store_option(given: Given) -> str:
    return f" --store {shlex.quote(given['store'])}" if given["store"] else ""
