"""What IB's codes mean, and that none ever ends a live order by mistake."""

from __future__ import annotations

import pytest

from ibfloor.broker.ib.codes import TABLE, Context, HistoryAnswer, IbRejected, Reaction, history_answer, reaction

ORDER_CONTEXTS = (Context.NEW, Context.MODIFY, Context.CANCEL)


@pytest.mark.parametrize("code", [10349, 399, 404, 2109, 2174, 492])
@pytest.mark.parametrize("context", ORDER_CONTEXTS)
def test_informational_codes_leave_an_order_as_it_is(code: int, context: Context) -> None:
    assert reaction(code, context) is Reaction.WARN


@pytest.mark.parametrize("code", [103, 104, 105, 135, 161, 10147, 10148])
@pytest.mark.parametrize("context", ORDER_CONTEXTS)
def test_codes_that_prove_nothing_ask_the_broker(code: int, context: Context) -> None:
    assert reaction(code, context) in (Reaction.QUERY, Reaction.QUERY_AND_RAISE_IDS)


@pytest.mark.parametrize("code", [7, 9999, 31337, 10999])
@pytest.mark.parametrize("context", [*ORDER_CONTEXTS, Context.SYSTEM])
def test_unknown_code_asks_and_never_ends_anything(code: int, context: Context) -> None:
    assert code not in TABLE
    assert reaction(code, context) is Reaction.QUERY


def test_only_a_new_order_is_rejected_by_a_refusal() -> None:
    for code in (200, 201, 110, 321):
        assert reaction(code, Context.NEW) is Reaction.REJECT
        assert reaction(code, Context.MODIFY) is Reaction.QUERY
        assert reaction(code, Context.CANCEL) is Reaction.QUERY


def test_nothing_but_202_cancels() -> None:
    cancels = {code for code in TABLE for context in Context if reaction(code, context) is Reaction.CANCELED}
    assert cancels == {202}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (1100, Reaction.UPSTREAM_LOST),
        (2110, Reaction.UPSTREAM_LOST),
        (1101, Reaction.UPSTREAM_BACK_DATA_LOST),
        (1102, Reaction.UPSTREAM_BACK),
        (326, Reaction.CLIENT_ID_TAKEN),
        (2103, Reaction.FARM_BROKEN),
        (2104, Reaction.FARM_OK),
        (2106, Reaction.FARM_OK),
        (2107, Reaction.FARM_OK),
        (2158, Reaction.FARM_OK),
        (2199, Reaction.CLOCK),
        (2150, Reaction.WARN),
    ],
)
def test_system_codes(code: int, expected: Reaction) -> None:
    assert reaction(code, Context.SYSTEM) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Historical Market Data Service error message:Historical data request pacing violation", HistoryAnswer.WAIT),
        ("Historical Market Data Service error message:HMDS query returned no data: SPY@SMART", HistoryAnswer.EMPTY),
        ("Historical Market Data Service error message:invalid step: 7", HistoryAnswer.FATAL),
        ("No market data permissions for NYSE STK", HistoryAnswer.FATAL),
    ],
)
def test_162_is_read_by_its_text(text: str, expected: HistoryAnswer) -> None:
    assert history_answer(text) is expected


def test_rejection_carries_ibs_own_code_and_words() -> None:
    error = IbRejected(201, "Order rejected - reason: margin")
    assert error.code == 201
    assert str(error) == "IB 201: Order rejected - reason: margin"
