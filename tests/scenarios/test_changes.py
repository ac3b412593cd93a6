"""Changes of working orders that are refused, or that the broker makes by itself: the order is known at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.scenarios.puppeteer import Puppet, equal_books

from ibfloor.sim.faults import actions as do

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
RARELY = "reconcile_every_s = 600\n"
REFUSALS = {
    110: "The price does not conform to the minimum price variation for this contract.",
    321: "Error validating request.",
    104: "Cannot modify a filled order.",
    201: "Order rejected - reason: the change is not allowed",
}


def rows(puppet: Puppet) -> list[tuple[str, str]]:
    return [(line["status"], line["text"]) for line in puppet.notes("order")]


def test_refused_change_leaves_the_order_working_as_it_was_and_known_within_seconds(scene: Any) -> None:
    puppet = Puppet(scene)
    puppet.begin(gateway=RARELY)
    puppet.rest(1)
    for code, text in REFUSALS.items():
        puppet.scene.break_gateway(do.Fail(code=code, text=text), "in:place_order")
        puppet.do("replace", "puppet:1", 20)
        puppet.wait(lambda text=f"IB {code}: {text}": ("UNKNOWN", text) in rows(puppet))  # type: ignore[misc]
        puppet.wait(lambda: rows(puppet)[-1][0] == "NEW", 8)
        assert [row.qty for row in puppet.working(1)] == [10]
    puppet.do("replace", "puppet:1", 30)
    puppet.wait(lambda: puppet.order(1).get("order_qty") == "30")
    assert not {"REJECTED", "CANCELED"} & {status for status, _ in rows(puppet)}
    puppet.do("cancel", "puppet:1")
    puppet.wait(lambda: not puppet.working(1))
    equal_books(puppet)


def test_exit_that_ib_makes_smaller_is_smaller_at_once(scene: Any) -> None:
    puppet = Puppet(scene)
    puppet.begin(gateway=RARELY)
    puppet.do("bracket", "buy", 100, 0.9)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")
    puppet.wait(lambda: puppet.order(3).get("status") == "NEW")
    puppet.scene.break_gateway(do.FillBeforeCancel(share=Decimal("0.4")), "in:cancel_order")
    puppet.do("cancel", "puppet:2")
    puppet.wait(lambda: [line for line in puppet.notes("fill") if line["cl_ord_id"] == "puppet:2"])
    puppet.wait(lambda: puppet.order(3).get("order_qty") == "60", 8)
    assert [row.qty for row in puppet.working(3)] == [60]
    equal_books(puppet)
