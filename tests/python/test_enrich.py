"""Rows in, results out: every call, over real sockets, against the sandbox."""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from exactbuyer import (
    ApiError,
    AuthenticationError,
    Budget,
    BudgetExceededError,
    BulkEnricher,
    ConfigError,
    IncompleteWarning,
    InvalidIdentifierError,
    Progress,
    UnknownOutcomeError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from exactbuyer import Result
    from exactbuyer.sandbox import Sandbox

RunCall: TypeAlias = "Callable[..., list[Result]]"


def enricher_of(sandbox: Sandbox, **settings: Any) -> BulkEnricher:
    return BulkEnricher("any-key", base_url=sandbox.url, **settings)


def test_every_row_comes_back_in_its_place(everybody: Sandbox, run_call: RunCall) -> None:
    everybody.nobody("zoe@acme.example")
    rows = [
        "ana@acme.example",
        None,
        "zoe@acme.example",
        "ANA@acme.example",
        "",
        ("phone", "+1 773 474 9362"),
    ]
    with enricher_of(everybody) as enricher:
        results = run_call(enricher, rows)
        receipt = enricher.last_receipt
    assert [row["status"] for row in results] == [
        "found",
        "missing",
        "not_found",
        "found",
        "missing",
        "found",
    ]
    assert [row["value"] for row in results] == [
        "ana@acme.example", None, "zoe@acme.example", "ANA@acme.example", None, "+1 773 474 9362",
    ]  # fmt: skip
    assert results[0]["enriched_contact"] == results[3]["enriched_contact"]
    assert results[0]["enriched_contact"] is not results[3]["enriched_contact"]
    assert (receipt.rows, receipt.duplicates, receipt.sent, receipt.credits) == (6, 1, 3, 2)


def test_a_list_pays_for_its_second_only_where_the_first_misses(
    everybody: Sandbox, run_call: RunCall
) -> None:
    everybody.nobody("zoe@acme.example")
    with enricher_of(everybody) as enricher:
        results = run_call(
            enricher, [["zoe@acme.example", "bo@acme.example"], ["ana@acme.example", "never@acme.example"]]
        )
        assert [row["value"] for row in results] == ["bo@acme.example", "ana@acme.example"]
        assert enricher.receipt.sent == 3


def test_many_rows_in_order(everybody: Sandbox, run_call: RunCall) -> None:
    rows = [f"person{number}@acme.example" for number in range(2_345)]
    with enricher_of(everybody, chunk_size=100, max_in_doubt=300, requests_per_minute=1_000) as enricher:
        assert [row["value"] for row in run_call(enricher, rows)] == rows
        assert enricher.receipt.credits == 2_345


@pytest.mark.parametrize("rows", [[], [None], iter(())], ids=["none", "missing", "iterator"])
def test_nothing_to_ask_sends_nothing(everybody: Sandbox, run_call: RunCall, rows: Any) -> None:
    with enricher_of(everybody) as enricher:
        run_call(enricher, rows)
        assert enricher.receipt.requests == 0


@pytest.mark.parametrize(
    ("rows", "kind", "said"),
    [
        ("ana@acme.example", TypeError, "one string"),
        (("email", "ana@acme.example"), TypeError, "one .* pair"),
        ({"field_type": "email", "value": "a@b.example"}, TypeError, "one mapping"),
        (7, TypeError, "int"),
        ([True], TypeError, "row 0 is a bool"),
        ([("ana@acme.example", "+1 773 474 9362")], ValueError, "order of preference"),
    ],
)
def test_common_mistakes_are_told_with_their_fix(
    everybody: Sandbox, run_call: RunCall, rows: Any, kind: type[Exception], said: str
) -> None:
    with enricher_of(everybody) as enricher, pytest.raises(kind, match=said):
        run_call(enricher, rows)


def test_wrong_arguments_of_a_call(everybody: Sandbox, run_call: RunCall) -> None:
    with enricher_of(everybody) as enricher:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"field_type": "fax"}, "field_type must be one of 'email'"),
            ({"required_fields": "phone"}, r"a list of names, as in \['phone'\]"),
            ({"max_credits": -1}, "max_credits must be a whole number"),
            ({"progress": "bar"}, "progress must be 'auto'"),
        ]
        for how, said in wrong:
            with pytest.raises(ConfigError, match=said):
                run_call(enricher, ["ana@acme.example"], **how)
        with pytest.raises(ConfigError, match="'raise' or 'record'"):
            enricher.enrich([], on_error="ignore")  # type: ignore[arg-type]


def test_invalid_rows_raise_before_anything_is_sent(everybody: Sandbox, run_list_call: RunCall) -> None:
    with enricher_of(everybody) as enricher:
        with pytest.raises(
            InvalidIdentifierError, match=r"2 of 3 rows .* row 1: .*; row 2: .*on_error='record'"
        ) as caught:
            run_list_call(enricher, ["ana@acme.example", "?", "ana@@acme.example"])
        assert [problem.row for problem in caught.value.problems] == [1, 2]
        assert "@@" not in str(caught.value)
        with pytest.raises(InvalidIdentifierError, match=r"rows 0, 1: not recognised .*; row 2: ") as same:
            run_list_call(enricher, ["hello", "!", "ana@@acme.example"])
        assert len(same.value.problems) == 3
        with pytest.raises(InvalidIdentifierError, match=r"^row 0 cannot be looked up: not recognised"):
            run_list_call(enricher, ["hello"])
        assert enricher.receipt.requests == 0


def test_invalid_rows_are_recorded(everybody: Sandbox, run_list_call: RunCall) -> None:
    with enricher_of(everybody) as enricher:
        results: Any = run_list_call(enricher, ["ana@acme.example", "?"], on_error="record")
    assert [row["status"] for row in results] == ["found", "invalid"]
    assert [(problem.row, problem.status) for problem in results.problems] == [(1, "invalid")]


def test_a_doubt_raises_with_every_row(everybody: Sandbox, run_list_call: RunCall) -> None:
    everybody.fail(request=1, fault="reset_after_billing")
    with enricher_of(everybody) as enricher:
        with pytest.raises(UnknownOutcomeError, match=r"1 row may have been charged.*\.results") as caught:
            run_list_call(enricher, ["ana@acme.example", None])
        assert [row["status"] for row in caught.value.results] == ["unknown", "missing"]
        assert caught.value.receipt == enricher.receipt
        assert enricher.receipt.credits_in_doubt == 1


def test_a_doubt_that_is_recorded_warns_once_at_the_callers_line(
    everybody: Sandbox, run_call: RunCall
) -> None:
    everybody.fail(request=1, fault="reset_after_billing")
    how = {"on_error": "record"} if "enrich" in run_call.__name__ else {}
    with enricher_of(everybody) as enricher, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = run_call(enricher, ["ana@acme.example"], **how)
    assert [row["status"] for row in results] == ["unknown"]
    told = [warning for warning in caught if warning.category is IncompleteWarning]
    assert len(told) == 1
    assert "exactbuyer" not in told[0].filename.replace("\\", "/").rsplit("/tests/", 1)[-1]


def test_a_warning_made_an_error_still_has_what_was_paid_for(everybody: Sandbox) -> None:
    everybody.fail(request=1, fault="reset_after_billing")
    with enricher_of(everybody) as enricher, pytest.raises(IncompleteWarning) as caught:
        enricher.enrich(["ana@acme.example"], on_error="record")
    assert [row["status"] for row in caught.value.results or []] == ["unknown"]
    assert caught.value.receipt.unknown == 1


def test_the_budget_ends_a_call(everybody: Sandbox, run_list_call: RunCall) -> None:
    rows = [f"person{number}@acme.example" for number in range(20)]
    with enricher_of(everybody, max_credits=100) as enricher:
        with pytest.raises(BudgetExceededError) as caught:
            run_list_call(enricher, rows, max_credits=7)
        assert (caught.value.receipt.credits, caught.value.receipt.not_sent) == (7, 13)


@pytest.mark.parametrize("on_error", ["raise", "record"])
def test_a_wrong_key_raises_whatever_was_asked(on_error: str) -> None:
    from exactbuyer.sandbox import Sandbox

    with Sandbox(api_key="right") as sandbox, BulkEnricher("wrong", base_url=sandbox.url) as enricher:
        with pytest.raises(AuthenticationError, match="EXACTBUYER_API_KEY") as caught:
            enricher.enrich(["ana@acme.example", None], on_error=on_error)  # type: ignore[arg-type]
        assert caught.value.status == 401
        assert [row["status"] for row in caught.value.results] == ["not_sent", "missing"]


def test_a_wrong_address_raises_out_of_streams(everybody: Sandbox, run_stream_call: RunCall) -> None:
    with (
        BulkEnricher("any", base_url=f"{everybody.url}/elsewhere") as enricher,
        pytest.raises(ApiError) as caught,
    ):
        run_stream_call(enricher, ["ana@acme.example"])
    assert [row["status"] for row in caught.value.results] == ["not_sent"]


def test_an_async_source_of_rows_is_awaited(everybody: Sandbox) -> None:
    async def rows() -> AsyncIterator[str | None]:
        for row in ("ana@acme.example", None):
            await asyncio.sleep(0)
            yield row

    with enricher_of(everybody) as enricher:
        results = asyncio.run(enricher.enrich_async(rows()))
    assert [row["status"] for row in results] == ["found", "missing"]


def test_threads_share_what_is_in_flight(everybody: Sandbox) -> None:
    rows = [f"person{number}@acme.example" for number in range(500)]
    with enricher_of(everybody) as enricher:
        results: list[Any] = [None] * 6
        start = threading.Barrier(len(results))

        def work(place: int) -> None:
            start.wait()
            results[place] = enricher.enrich(rows)

        threads = [threading.Thread(target=work, args=(place,)) for place in range(len(results))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all([row["value"] for row in result] == rows for result in results)
        assert enricher.receipt.rows == 3_000
        assert enricher.receipt.credits + enricher.receipt.duplicates == 3_000


def test_inside_a_running_loop_enrich_blocks_and_works(everybody: Sandbox) -> None:
    async def cell() -> int:
        with enricher_of(everybody) as enricher:
            return len(enricher.enrich(["ana@acme.example"])) + len(await enricher.enrich_async([None]))

    assert asyncio.run(cell()) == 2


def test_progress_is_called_and_never_breaks_a_run(
    everybody: Sandbox, run_call: RunCall, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Progress] = []
    with enricher_of(everybody) as enricher:
        run_call(enricher, ["ana@acme.example", None], progress=seen.append)
        assert seen[-1].done == 2
        assert seen[-1].rows == 2

        def broken(_: Progress) -> None:
            raise RuntimeError("a bug of the caller's")

        assert len(run_call(enricher, ["bo@acme.example"], progress=broken)) == 1
        assert [record.levelname for record in caplog.records if "progress" in record.message] == ["WARNING"]


def test_a_bar_that_was_asked_for_is_there_however_short_the_run(
    everybody: Sandbox, run_list_call: RunCall, capsys: pytest.CaptureFixture[str]
) -> None:
    with enricher_of(everybody) as enricher:
        run_list_call(enricher, ["ana@acme.example", None])
        assert capsys.readouterr().err == ""
        run_list_call(enricher, ["ana@acme.example", None], progress=True)
    assert "2/2 rows 100% | 1 credit" in capsys.readouterr().err


def test_the_log_has_counts_and_nobodys_data(
    everybody: Sandbox, run_call: RunCall, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), BulkEnricher("key-canary-51", base_url=everybody.url) as enricher:
        results = run_call(enricher, ["ana@acme.example", "linkedin.com/in/bo"])
    assert "2 found" in caplog.text
    contact = results[0]["enriched_contact"]
    assert contact is not None
    for secret in ("ana@acme", "linkedin.com/in", "key-canary-51", contact["full_name"]):
        assert secret not in caplog.text


def test_the_sandbox_lives_as_long_as_what_uses_it() -> None:
    stream = BulkEnricher.sandbox().stream(f"person{number}@acme.example" for number in range(50))
    assert len(list(stream)) == 50
    with BulkEnricher.sandbox(credit_price=(1, "EUR")) as enricher:
        assert enricher.enrich(["ana@acme.example"]).receipt.cost is not None
    with pytest.raises(ConfigError, match=r"make it with BulkEnricher\.sandbox\(\)"):
        print(BulkEnricher().sandbox_server)


def test_a_plan_counts_what_the_enricher_has_spent(everybody: Sandbox, path: Path) -> None:
    mails = [f"person{number}@acme.example" for number in range(9)]
    for store in (None, path):
        with BulkEnricher(everybody.api_key, base_url=everybody.url, max_credits=5, store=store) as enricher:
            assert "at most 5: 5 of max_credits (5) left" in str(enricher.plan(mails))
            enricher.enrich(mails[:2])
            plan = enricher.plan(mails[2:])
            assert (plan.ceiling, plan.ceiling_left, plan.max_credits) == (5, 3, 3)
            assert "at most 3: 3 of max_credits (5) left" in str(plan)
            assert "at most 1\n" in f"{enricher.plan(mails[3:4])}\n"
            enricher.enrich(mails[2:5])
            assert "at most 0: max_credits (5) is used up" in str(enricher.plan(mails[5:]))
    with BulkEnricher(
        everybody.api_key, base_url=everybody.url, max_credits=Budget(5, per="run")
    ) as enricher:
        enricher.enrich(mails[:2])
        assert enricher.plan(mails).ceiling_left == 5
