"""Every form a row may have, every sign of nothing, and the mistakes that have a name."""

from __future__ import annotations

from array import array
from collections import OrderedDict, deque
from decimal import Decimal
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from exactbuyer._core import Rows
from exactbuyer.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EMAIL = "ana@acme.example"
PHONE = "+1 773 474 9362"
PROFILE = "linkedin.com/in/ana"


class Counts(NamedTuple):
    """What a plan says of rows: to ask at least and at most, and the rest."""

    to_send: tuple[int, int]
    missing: int = 0
    invalid: int = 0
    duplicates: int = 0


def counts(rows: Iterable[object], **settled: Any) -> Counts:
    plan = Rows(rows, **settled).plan({})
    return Counts(plan["to_send"], plan["missing"], plan["invalid"], plan["duplicates"])


def same(*rows: object, **settled: Any) -> bool:
    """Whether all these rows ask one and the same thing."""
    return counts(rows, **settled) == Counts((1, 1), duplicates=len(rows) - 1)


# Forms


@pytest.mark.parametrize("value", [EMAIL, PHONE, PROFILE])
def test_a_string_is_a_row(value: str) -> None:
    assert counts([value]) == Counts((1, 1))


@pytest.mark.parametrize(
    ("field_type", "value"), [("email", EMAIL), ("phone", PHONE), ("social_profile", PROFILE)]
)
def test_a_pair_and_the_vendors_mapping_say_what_a_value_is(field_type: str, value: str) -> None:
    mapping = {"field_type": field_type, "value": value}
    assert same(value, (field_type, value), mapping, MappingProxyType(mapping), OrderedDict(mapping), [value])


def test_a_pairs_own_field_type_wins_over_the_calls() -> None:
    assert same(
        ("phone", PHONE), PHONE, ("phone", PHONE), {"field_type": "phone", "value": PHONE}, field_type="phone"
    )
    assert (
        counts([("email", EMAIL), {"field_type": "email", "value": EMAIL}], field_type="phone").invalid == 0
    )
    assert counts([EMAIL], field_type="phone").invalid == 1


def test_a_list_asks_for_its_first_and_at_most_for_all() -> None:
    assert counts([[EMAIL, ("phone", PHONE), {"field_type": "social_profile", "value": PROFILE}]]) == Counts(
        (1, 3)
    )


def test_in_a_list_what_is_missing_or_invalid_is_passed_over() -> None:
    assert counts([[None, "ana@", EMAIL, "", PHONE]]) == Counts((1, 2))
    assert counts([[None, "", float("nan")], []]) == Counts((0, 0), missing=2)
    assert counts([[None, "ana@", "@acme"]]) == Counts((0, 0), invalid=1)


def test_a_number_is_a_row_where_no_digit_was_lost() -> None:
    class Number(IntEnum):
        ANA = 17734749362

    digits = "17734749362"
    settled = {"field_type": "phone", "default_region": "US"}
    assert same(
        digits, int(digits), float(digits), Decimal(digits), Decimal(digits + ".00"), Number.ANA, **settled
    )


@pytest.mark.parametrize(
    "number",
    [
        1.5,
        2.0**53,
        1e300,
        float("inf"),
        Decimal("1.5"),
        Decimal("Infinity"),
        Decimal("1E+999999999"),
        pytest.param(10**5000, id="huge"),
    ],
)
def test_a_number_that_lost_digits_is_invalid(number: object) -> None:
    assert counts([number]) == Counts((0, 0), invalid=1)


def test_a_text_that_is_no_unicode_is_invalid() -> None:
    assert counts(["ana\ud800@acme.example", "linkedin.com/in/an\udfffa"]) == Counts((0, 0), invalid=2)


# Missing


@pytest.mark.parametrize(
    "nothing",
    [
        None,
        "",
        " \t\n",
        "\u00a0",
        float("nan"),
        Decimal("nan"),
        Decimal("snan"),
        ("email", None),
        {"field_type": "phone", "value": ""},
    ],
)
def test_missing(nothing: object) -> None:
    assert counts([nothing, [nothing, nothing]]) == Counts((0, 0), missing=2)


def test_na_values_are_compared_stripped_and_exactly() -> None:
    rows = ["n/a", "  n/a ", "N/A", "-1", -1, ("phone", "n/a"), ["n/a", EMAIL]]
    assert counts(rows, na_values=[" n/a", "-1"]) == Counts((1, 1), missing=5, invalid=1)


def test_na_values_have_to_be_strings() -> None:
    for wrong in ["n/a", [1], 1]:
        with pytest.raises(TypeError):
            Rows([], na_values=wrong)  # type: ignore[arg-type]


# Columns, where their library is installed


def test_numpy() -> None:
    np = pytest.importorskip("numpy")
    texts = np.array([EMAIL, None, float("nan"), EMAIL], dtype=object)
    assert counts(texts) == Counts((1, 1), missing=2, duplicates=1)
    assert counts(np.array([EMAIL, ""])) == Counts((1, 1), missing=1)
    numbers = [
        np.int64(17734749362),
        np.uint64(17734749362),
        np.float64(17734749362.0),
        np.str_("17734749362"),
    ]
    assert same(*numbers, field_type="phone", default_region="US")
    assert counts([np.float64("nan"), np.float32("nan"), np.datetime64("NaT", "s")]) == Counts(
        (0, 0), missing=3
    )
    assert counts([np.array([EMAIL, PHONE])]) == Counts((1, 2))
    with pytest.raises(TypeError, match=r"^row 0 is a bool"):
        Rows([np.bool_(True)])


def test_half_a_float_loses_digits_sooner() -> None:
    np = pytest.importorskip("numpy")
    settled = {"field_type": "phone", "default_region": "US"}
    assert counts(np.array([7734749362], dtype="float64"), **settled) == Counts((1, 1))
    assert counts(np.array([7734749362], dtype="float32"), **settled) == Counts((0, 0), invalid=1)
    assert counts([np.float32(7734749362)], **settled) == Counts((0, 0), invalid=1)


def test_floats_of_half_the_size_lose_digits_wherever_they_are() -> None:
    np, pa, pd = (pytest.importorskip(name) for name in ("numpy", "pyarrow", "pandas"))
    settled = {"field_type": "phone", "default_region": "US"}
    rounded = np.array([2015550123], dtype="float32")
    for column in (
        pd.Series(rounded).astype("category"),
        pa.array(rounded).dictionary_encode(),
        pa.array([rounded.tolist()], pa.list_(pa.float32())),
        array("f", [2015550123.0]),
        memoryview(rounded),
    ):
        assert counts(column, **settled) == Counts((0, 0), invalid=1)
    exact = rounded.astype("float64") + 43
    for column in (
        pd.Series(exact).astype("category"),
        pa.array(exact).dictionary_encode(),
        memoryview(exact),
    ):
        assert counts(column, **settled) == Counts((1, 1))


@pytest.mark.parametrize("kind", ["timedelta64", "datetime64"])
def test_times_of_numpy_are_no_numbers(kind: str) -> None:
    np = pytest.importorskip("numpy")
    times = np.array([12_015_550_123], dtype=f"{kind}[ns]")
    for rows in (times, list(times)):
        with pytest.raises(TypeError, match=rf"^row 0 is of type {kind}"):
            Rows(rows, field_type="phone")


def test_pandas() -> None:
    pd = pytest.importorskip("pandas")
    assert counts(pd.Series([EMAIL, None, pd.NA, pd.NaT, EMAIL])) == Counts((1, 1), missing=3, duplicates=1)
    assert counts(pd.Series([EMAIL, None], dtype="string")) == Counts((1, 1), missing=1)
    assert (
        counts(pd.Series([17734749362, None], dtype="Int64"), default_region="US", field_type="phone").missing
        == 1
    )
    assert counts(pd.Series([17734749362, None]), default_region="US", field_type="phone") == Counts(
        (1, 1), missing=1
    )
    assert counts(pd.Series([EMAIL], index=["columns"])) == Counts((1, 1))


def test_polars() -> None:
    pl = pytest.importorskip("polars")
    assert counts(pl.Series([EMAIL, None, EMAIL])) == Counts((1, 1), missing=1, duplicates=1)
    assert counts(pl.Series([[EMAIL, PHONE]])) == Counts((1, 2))


def test_arrow() -> None:
    pa = pytest.importorskip("pyarrow")
    column = pa.array([EMAIL, None, EMAIL])
    for rows in [column, pa.chunked_array([column]), list(column), column.dictionary_encode()]:
        assert counts(rows) == Counts((1, 1), missing=1, duplicates=1)


def test_any_iterable() -> None:
    def generated() -> Iterator[str]:
        yield EMAIL
        yield PHONE

    for rows in [
        (EMAIL, PHONE),
        deque([EMAIL, PHONE]),
        generated(),
        iter([EMAIL, PHONE]),
        {EMAIL: 1, PHONE: 2}.keys(),
    ]:
        assert counts(rows) == Counts((2, 2))
        assert counts([]) == Counts((0, 0))


def test_an_iterables_own_error_comes_through() -> None:
    def broken() -> Iterator[str]:
        yield EMAIL
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        Rows(broken())


# Mistakes


def test_two_columns_zipped_are_told_to_be_lists() -> None:
    with pytest.raises(
        ValueError, match=r"^row 0 is a pair whose first part is not a field type.*\[email, phone\]"
    ) as told:
        Rows(zip([EMAIL], [PHONE], strict=True))
    assert EMAIL not in str(told.value)


def test_zipped_as_lists_they_are_rows() -> None:
    assert counts(map(list, zip([EMAIL], [PHONE], strict=True))) == Counts((1, 2))


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ((EMAIL,), ValueError, r"is a tuple of 1: .*row\[0\]"),
        ((EMAIL, PHONE, PROFILE), ValueError, "is a tuple of 3: .*a list"),
        (("e-mail", EMAIL), ValueError, "is a pair whose first part is not a field type"),
        ((None, EMAIL), ValueError, "is a pair whose first part is not a field type"),
        ({"email": EMAIL}, TypeError, 'is a mapping without the keys "field_type" and "value"'),
        ({"field_type": "mail", "value": EMAIL}, ValueError, ': its "field_type" has to be'),
        (EMAIL.encode(), TypeError, "is bytes: decode"),
        (bytearray(b"x"), TypeError, "is bytes: decode"),
        (True, TypeError, "is a bool"),
        (object(), TypeError, "is of type object: a row is"),
        ({EMAIL}, TypeError, "is of type set: a row is"),
        ([[EMAIL]], TypeError, "entry 0 is a list inside a list"),
        ([EMAIL, True], TypeError, "entry 1 is a bool"),
    ],
)
def test_a_row_that_is_none_is_named(row: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^row 18,? ?.*{message}") as told:
        Rows([None, row], first_row=17)
    assert EMAIL not in str(told.value)


def test_one_row_is_not_rows() -> None:
    for one in [EMAIL, EMAIL.encode(), {"field_type": "email", "value": EMAIL}, ("email", EMAIL)]:
        with pytest.raises(TypeError, match=r"^rows is .*list"):
            Rows(one)


def test_a_single_value_of_numpy_is_not_rows() -> None:
    np = pytest.importorskip("numpy")
    for one in [np.array(EMAIL), np.str_(EMAIL), np.float64(7_734_749_362)]:
        with pytest.raises(TypeError, match=r"^rows is .*wrap it in a list"):
            Rows(one)


def test_a_frame_is_not_rows() -> None:
    pd, pl, pa = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    columns = {"email": [EMAIL], "phone": [PHONE]}
    for frame in [pd.DataFrame(columns), pl.DataFrame(columns), pl.LazyFrame(columns), pa.table(columns)]:
        with pytest.raises(TypeError, match=r'^rows is a frame .*frame\["email"\]'):
            Rows(frame)


def test_what_cannot_be_iterated_is_not_rows() -> None:
    for wrong in [None, 1, object()]:
        with pytest.raises(TypeError, match=r"^rows is of type .*pass a list or a column"):
            Rows(wrong)  # type: ignore[arg-type]


def test_settled_wrongly() -> None:
    with pytest.raises(ValueError, match=r"^field_type has to be"):
        Rows([], field_type="mail")
    with pytest.raises(ConfigError, match=r"^default_region "):
        Rows([], default_region="Mars")


# What is told


def test_every_invalid_row_is_named_by_its_number_and_why() -> None:
    rows = Rows([EMAIL, "ana@", None, ["@acme", ""]], first_row=100)
    assert len(rows) == 4
    assert [number for number, _ in rows.invalid()] == [101, 103]
    assert all(why and "acme" not in why for _, why in rows.invalid())


def test_a_plan_counts_what_would_be_asked() -> None:
    plan = Rows([EMAIL, [PHONE, PROFILE], None, "ana@", EMAIL]).plan({"chunk_size": 1})
    assert plan == {
        "rows": 5,
        "missing": 1,
        "invalid": 1,
        "duplicates": 1,
        "from_store": 0,
        "open_rows": 0,
        "bought_again": 0,
        "to_send": (2, 3),
        "requests": (2, 3),
        "max_credits": 2,
        "suspects": (),
        "lately": None,
        "room": None,
        "columns": [(0, 4, 0, [("an e-mail address needs a name, an @ and a domain", 1)]), (1, 1, 0, [])],
    }


def test_a_placeholder_is_suspected() -> None:
    rows = Rows([None, *[PHONE] * 30, EMAIL], first_row=1_000)
    assert rows.plan({})["suspects"] == ({"row": 1_001, "field_type": "phone", "rows": 30},)


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("chunk_size", "10"),
        ("max_credits", 1.5),
        ("max_retries", -1),
        ("timeout_s", -1.0),
        ("grace_s", float("nan")),
        ("on_unknown", "pray"),
        ("body", "xml"),
        ("per", "week"),
        ("required_fields", "email"),
        ("base_url", 1),
        ("tags", {"job": 1}),
    ],
)
def test_what_is_no_setting_at_all_is_refused_here_too(setting: str, wrong: object) -> None:
    """Ranges are `settings.py`'s affair: this is for whoever goes past it."""
    with pytest.raises((TypeError, ValueError, OverflowError)):
        Rows([]).plan({setting: wrong})


def test_a_misspelt_setting_does_not_pass_for_a_default() -> None:
    with pytest.raises(ValueError, match=r"no setting max_credit$"):
        Rows([]).plan({"max_credit": 10})
