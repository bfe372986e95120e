"""Doubts outlive the call that met them, and so do ceilings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from store_runs import emails, enricher

from exactbuyer import BudgetExceededError, ConfigError, IncompleteWarning, UnknownOutcomeError
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from exactbuyer import Result

PEOPLE = emails(30)


# Doubts


def test_a_doubt_is_raised_once_and_then_told(
    everybody: Sandbox, path: Path, run_list_call: Callable[..., list[Result]]
) -> None:
    everybody.fail(request=1, fault="reset_after_billing")
    with enricher(everybody, path) as people:
        with pytest.raises(UnknownOutcomeError, match=r'resolve_unknown\("resend"\), \("drop"\) or '):
            run_list_call(people, PEOPLE[:3])
        with pytest.warns(IncompleteWarning, match=r"3 rows may have been charged earlier \(0 to 3 credits"):
            rows = run_list_call(people, PEOPLE[:4])
        assert [row["status"] for row in rows] == ["unknown"] * 3 + ["found"]
        receipt = people.last_receipt
        assert (receipt.inherited, receipt.inherited_credits, receipt.credits_in_doubt) == (3, 3, 0)
        assert receipt.inherited_since is not None
        assert "3 from earlier: 0 to 3 credits, sent since 20" in str(receipt)
        assert "resolve_unknown" in receipt.next_step
        plan = people.plan(PEOPLE[:4])
        assert (plan.open_rows, plan.from_store, plan.to_send) == (3, 1, (0, 0))
    assert everybody.ledger.credits == 4


@pytest.mark.parametrize("how", ["resend", "drop", "on_unknown"])
def test_doubts_are_resolved(everybody: Sandbox, path: Path, how: Any) -> None:
    everybody.fail(request=1, fault="reset_after_billing")
    with enricher(everybody, path) as people:
        people_before = people.store
        assert people_before is not None
        with pytest.raises(UnknownOutcomeError):
            people.enrich(PEOPLE[:3])
        doubts = people_before.unknown()
        assert [doubt.value for doubt in doubts] == PEOPLE[:3]
        assert {doubt.credits for doubt in doubts} == {1}
        with pytest.raises(ConfigError, match=r"'resend' .* 'drop'"):
            people.resolve_unknown("forget")  # type: ignore[arg-type]
        if how != "on_unknown":
            assert str(people.resolve_unknown(how)).startswith("3 lookups resolved; 0 to 3 credits")
            assert people_before.unknown() == []
    with enricher(everybody, path, on_unknown="resend" if how == "on_unknown" else "hold") as people:
        if how == "drop":
            results = people.enrich(PEOPLE[:3])
            assert {row["status"] for row in results} == {"not_sent"}
            assert (results.receipt.barred, results.receipt.open_rows) == (3, 0)
            assert "allow" in results.receipt.next_step
            assert people.store.allow(PEOPLE[0])
            assert not people.store.allow(PEOPLE[0])
            assert people.enrich(PEOPLE[:1])[0]["status"] == "found"
        else:
            assert [row["status"] for row in people.enrich(PEOPLE[:3])] == ["found"] * 3
        # What it may have cost stays on the books.
        assert people.store.info().credits_in_doubt == 3


def test_doubts_are_resolved_by_request(everybody: Sandbox, path: Path) -> None:
    everybody.fail(request=1, fault="reset_after_billing")
    everybody.fail(request=2, fault="reset_after_billing")
    with enricher(everybody, path) as people:
        for part in (PEOPLE[:3], PEOPLE[3:5]):
            with pytest.raises(UnknownOutcomeError):
                people.enrich(part)
        first, second = sorted({doubt.request for doubt in people.store.unknown()})
        with pytest.raises(
            ConfigError, match=rf"has one that has left nothing in doubt; in doubt: {first}, {second}"
        ):
            people.resolve_unknown("resend", requests=[first, 99])
        for wrong in (3, ["3"], [3.0]):
            with pytest.raises(ConfigError, match="requests must be numbers of requests"):
                people.resolve_unknown("resend", requests=wrong)  # type: ignore[arg-type]
        assert people.store.info().credits_in_doubt == 5
        resolved = people.resolve_unknown("not_charged", requests=[second])
        assert (resolved.lookups, resolved.credits) == (2, 2)
        assert {doubt.request for doubt in people.store.unknown()} == {first}
        assert people.store.info().credits_in_doubt == 3
        assert people.resolve_unknown("drop", requests=iter([first])).lookups == 3
        # What they may have cost still counts, until it is known that they were not charged.
        assert people.store.info().credits_in_doubt == 3
        assert people.resolve_unknown("not_charged", requests=[first]).credits == 3
        assert people.store.info().credits_in_doubt == 0
        results = people.enrich(PEOPLE[:5])
        assert [row["status"] for row in results] == ["not_sent"] * 3 + ["found"] * 2


def test_a_reply_that_cannot_be_read_is_kept(everybody: Sandbox, path: Path) -> None:
    everybody.fail(request=1, fault="not_json")
    with enricher(everybody, path) as people:
        with pytest.raises(UnknownOutcomeError):
            people.enrich(PEOPLE[:3])
        requests = {doubt.request for doubt in people.store.unknown()}
        assert len(requests) == 1
        assert people.store.unread_reply(*requests)
        assert people.store.unread_reply(10_000) is None


# Money


def test_a_ceiling_is_the_stores(everybody: Sandbox, path: Path) -> None:
    for part in range(3):
        with enricher(everybody, path, max_credits=10) as people:
            if part < 2:
                people.enrich(PEOPLE[5 * part : 5 * part + 5])
            else:
                with pytest.raises(BudgetExceededError, match="10 credits"):
                    people.enrich(PEOPLE[10:])
                assert people.plan(PEOPLE).max_credits == 0
    assert everybody.ledger.credits == 10


def test_resume_is_the_same_call(everybody: Sandbox, path: Path) -> None:
    with enricher(everybody, path, max_credits=12) as people, pytest.raises(BudgetExceededError) as spent:
        people.enrich(PEOPLE)
    assert spent.value.receipt.not_sent == 18
    with enricher(everybody, path, max_credits=100) as people:
        receipt = people.enrich(PEOPLE).receipt
    assert (receipt.from_store, receipt.credits) == (12, 18)
    assert everybody.ledger.credits == 30
