"""Working orders whose strategy is gone: another strategy has them, through the client that placed them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.scenarios.puppeteer import Puppet, equal_books

from ibfloor.model.fact import OrderHanded
from ibfloor.model.ids import StrategyId

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SPY = 756733
HAND = '[orphans]\npolicy = "hand"\nto = "puppet"\n'


def test_orders_of_a_strategy_that_is_gone_are_the_heirs_to_change_to_cancel_and_to_fill(puppet: Puppet) -> None:
    gone = Puppet(puppet.scene, "gone")
    puppet.begin(beside=gone.config())
    gone.floor = puppet.floor
    gone.wait(lambda: gone.notes("quoted"))
    gone.do("market", "buy", 5)
    gone.wait(lambda: gone.order(1).get("status") == "FILLED")
    gone.rest(2)
    gone.rest(3)
    clients = {row.order_ref: row.client_id for row in puppet.scene.book().orders}
    puppet.end()
    puppet.begin(extra=HAND)
    (start,) = puppet.notes("start")
    assert (start["orders"], start["qty"]) == ({"gone:2": "NEW", "gone:3": "NEW"}, "0")
    puppet.do("replace", "gone:2", 20)
    puppet.wait(lambda: [row.qty for row in gone.working(2)] == [20])
    puppet.do("cancel", "gone:3")
    puppet.wait(lambda: not gone.working(3))
    puppet.do("reprice", "gone:2", 0, 1.001)
    puppet.wait(lambda: sum(int(line["qty"]) for line in puppet.notes("fill")) == 20)
    rows = {row.order_ref: row for row in puppet.scene.book().orders}
    assert {ref: row.client_id for ref, row in rows.items()} == clients, "nobody else placed anything"
    puppet.floor.signal(9)  # what was handed over stays so
    puppet.floor.wait()
    puppet.begin(extra=HAND)
    (start,) = puppet.notes("start")
    assert (start["orders"], start["qty"]) == ({}, "20")
    state = equal_books(puppet)
    assert state.books.book(StrategyId("puppet")).positions[SPY].qty == Decimal(20)
    assert state.books.book(StrategyId("gone")).positions[SPY].qty == Decimal(5)
    handed = [fact.cl_ord_id for fact in puppet.scene.facts() if isinstance(fact, OrderHanded)]
    assert sorted(handed) == ["gone:2", "gone:3"]
    assert puppet.scene.cli("ledger", "verify").returncode == 0


def test_orders_go_back_to_their_strategy_when_it_is_there_again(puppet: Puppet) -> None:
    gone = Puppet(puppet.scene, "gone")
    puppet.begin(beside=gone.config())
    gone.floor = puppet.floor
    gone.wait(lambda: gone.notes("quoted"))
    gone.rest(1)
    puppet.end()
    puppet.begin(extra=HAND)
    assert puppet.notes("start")[0]["orders"] == {"gone:1": "NEW"}
    puppet.end()
    puppet.begin(extra=HAND, beside=gone.config())
    gone.floor = puppet.floor
    gone.wait(lambda: gone.notes("start"))
    assert (puppet.notes("start")[0]["orders"], gone.notes("start")[0]["orders"]) == ({}, {"gone:1": "NEW"})
    gone.wait(lambda: gone.notes("quoted"))
    gone.do("cancel", "gone:1")
    gone.wait(lambda: not gone.working(1))
    equal_books(puppet)
