from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.control.differ import ViewDiffer
from ibfloor.control.framing import decode_from_floor, encode_frame
from ibfloor.control.protocol import Message, ViewChanges, ViewSnapshot
from ibfloor.control.replica import Replica, SequenceGap, typed_rows
from ibfloor.model.view import BarView, RiskView


def risk(rule: str, refusals: int = 0, used: str = "0") -> RiskView:
    return RiskView(rule=rule, limit="9", used=used, used_pct=None, refusals=refusals)


def bar(close_px: float) -> BarView:
    return BarView(start_ns=1, open_px=1, high_px=9, low_px=0, close_px=close_px, volume=5, is_closed=False)


def over_the_wire(message: Message) -> ViewSnapshot | ViewChanges:
    back = decode_from_floor(encode_frame(message)[4:])
    assert isinstance(back, ViewSnapshot | ViewChanges)
    return back


def test_only_changed_fields_are_sent() -> None:
    differ = ViewDiffer()
    differ.update("risk", "a", risk("a"))
    differ.take()
    differ.update("risk", "a", risk("a", refusals=1))
    differ.update("risk", "a", risk("a", refusals=2, used="5"))
    changes = differ.take()
    assert changes is not None
    assert changes.seq == 2
    assert changes.rows == {"risk": {"a": {"refusals": 2, "used": "5"}}}


def test_an_equal_row_changes_nothing() -> None:
    differ = ViewDiffer()
    differ.update("risk", "a", risk("a"))
    differ.take()
    differ.update("risk", "a", risk("a"))
    assert differ.take() is None
    assert differ.seq == 1


def test_a_pinned_row_stays_however_many_newer_ones_come() -> None:
    differ = ViewDiffer({"risk": 2}, lambda row: isinstance(row, RiskView) and row.used == "working")
    differ.update("risk", "stop", risk("stop", used="working"))
    for number in range(5):
        differ.update("risk", str(number), risk(str(number)))
    assert list(differ.snapshot().rows["risk"]) == ["stop", "4"]
    differ.update("risk", "stop", risk("stop", used="filled"))
    differ.update("risk", "5", risk("5"))
    assert list(differ.snapshot().rows["risk"]) == ["4", "5"]


def test_a_topic_that_only_grows_keeps_its_newest_rows_and_says_which_went() -> None:
    differ = ViewDiffer({"risk": 2})
    for rule in ("a", "b", "c"):
        differ.update("risk", rule, risk(rule))
    changes = differ.take()
    assert changes is not None
    assert changes.rows["risk"]["a"] is None
    assert list(differ.snapshot().rows["risk"]) == ["b", "c"]


keys = st.sampled_from("abc")
steps = st.one_of(
    st.tuples(st.just("risk"), keys, st.integers(0, 3)),
    st.tuples(st.just("bar"), keys, st.integers(0, 3)),
    st.tuples(st.just("remove"), st.sampled_from(("risk", "bar")), keys),
    st.tuples(st.just("take"), st.none(), st.none()),
    st.tuples(st.just("snapshot"), st.none(), st.none()),
)


@given(st.lists(steps, max_size=40))
def test_a_replica_that_follows_equals_the_floor(script: list[tuple[str, str, int]]) -> None:
    differ, replica = ViewDiffer(), Replica()
    replica.apply(over_the_wire(differ.snapshot()))
    for kind, key, value in [*script, ("take", "", 0)]:
        if kind == "risk":
            differ.update("risk", key, risk(key, refusals=int(value)))
        elif kind == "bar":
            differ.update("bar", key, bar(float(value)))
        elif kind == "remove":
            differ.remove(key, str(value))
        elif kind == "snapshot":
            replica.apply(over_the_wire(differ.snapshot()))
        elif (changes := differ.take()) is not None:
            replica.apply(over_the_wire(changes))
    floor = msgspec.to_builtins(differ.snapshot().rows)
    assert {name: rows for name, rows in replica.rows.items() if rows} == {k: v for k, v in floor.items() if v}


def test_a_gap_is_noticed() -> None:
    replica = Replica()
    replica.apply(ViewSnapshot(seq=4, rows={}))
    with pytest.raises(SequenceGap, match="6 came after 4"):
        replica.apply(ViewChanges(seq=6, rows={}))


def test_rows_become_structs_again_with_exact_amounts() -> None:
    class Priced(msgspec.Struct, frozen=True):
        px: Decimal

    rows = {"p": {"a": {"px": "0.10"}}}
    assert typed_rows(rows, "p", Priced) == {"a": Priced(Decimal("0.10"))}  # type: ignore[arg-type]
    assert str(typed_rows(rows, "p", Priced)["a"].px) == "0.10"  # type: ignore[arg-type]
