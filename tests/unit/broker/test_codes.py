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


# One letter a reaction, in the order new, modify, cancel, data, system: written by hand from IB's list, not from the
# table that is tested. R rejected, C canceled, W warned, Q asked, I asked and ids raised, S subscribed again,
# H read by its text, - ignored.
BY_HAND = {
    **dict.fromkeys((103,), "IIQRW"),
    **dict.fromkeys((104, 105, 106, 135, 161, 10147, 10148), "QQQRW"),
    **dict.fromkeys((107, 109, 110, 111, 200, 201, 203, 321, 387, 388, 434), "RQQRW"),
    202: "CCCRW",
    **dict.fromkeys((399, 404, 492, 2109, 10349, 2174), "WWWWW"),
    **dict.fromkeys((101, 354, 420, 10089, 10168, 10314), "RQQRW"),
    100: "QQQSW",
    162: "QQQHW",
    **dict.fromkeys((165, 10090, 10167), "QQQWW"),
    **dict.fromkeys((300, 310), "QQQ-W"),
    **dict.fromkeys((366, 10182, 10197, 10225), "QQQSW"),
}
LETTERS = {
    "R": Reaction.REJECT,
    "C": Reaction.CANCELED,
    "W": Reaction.WARN,
    "Q": Reaction.QUERY,
    "I": Reaction.QUERY_AND_RAISE_IDS,
    "S": Reaction.RESUBSCRIBE,
    "H": Reaction.HISTORY,
    "-": Reaction.IGNORE,
}
CONNECTION = {1100, 1101, 1102, 1300, 2103, 2104, 2105, 2106, 2107, 2108, 2110, 2157, 2158, 2199, 326}


@pytest.mark.parametrize("code", sorted(BY_HAND))
def test_every_code_in_every_context_is_what_was_decided(code: int) -> None:
    said = {context: reaction(code, context) for context in Context}
    assert said == {context: LETTERS[letter] for context, letter in zip(Context, BY_HAND[code], strict=True)}


def test_no_code_of_the_table_goes_without_a_test() -> None:
    assert set(TABLE) == set(BY_HAND) | CONNECTION
    for code in CONNECTION:
        assert len({reaction(code, context) for context in Context}) == 1, "what is said of the link holds anywhere"
