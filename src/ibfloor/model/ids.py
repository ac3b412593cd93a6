"""Identities: every id has its own type, so that none is passed for another."""

from __future__ import annotations

from sys import intern
from typing import NewType

StrategyId = NewType("StrategyId", str)
"""A strategy instance's name, as in floor.toml: lower case, digits and dashes."""

ClientOrderId = NewType("ClientOrderId", str)
"""``<strategy>:<n>``: one intent. It is what IB carries as ``orderRef``."""

InstrumentId = NewType("InstrumentId", int)
"""IB's ``conId``: the one stable key of a contract."""

ExecId = NewType("ExecId", str)
"""The broker's execution id, revision included."""

AccountId = NewType("AccountId", str)

UNASSIGNED = StrategyId("UNASSIGNED")
"""The book of everything no strategy owns: opening balances, manual and foreign trades."""


def cl_ord_id(strategy: StrategyId, number: int) -> ClientOrderId:
    """Return the client order id of a strategy's n-th intent."""
    return ClientOrderId(f"{strategy}:{number}")


def intent_number(order_id: ClientOrderId) -> int:
    """Return the n of ``<strategy>:<n>``; raise ``ValueError`` for any other text."""
    return int(order_id.rpartition(":")[2])


def owner_of(order_ref: str) -> StrategyId | None:
    """Return the strategy named by an order reference; ``None`` when the text is not ours."""
    name, colon, number = order_ref.rpartition(":")
    return StrategyId(name) if colon and name and number.isdigit() else None


def exec_root(exec_id: ExecId) -> tuple[str, int]:
    """Split an execution id into its root and its revision.

    IB numbers corrections in the last dotted group: ``0000e0d5.65a1.01.01`` is corrected by
    ``0000e0d5.65a1.01.02``. An id without such a group has revision 0. Equal roots are one object:
    orders, books and the gate each remember every execution by it.
    """
    root, dot, revision = exec_id.rpartition(".")
    if dot and revision.isdigit():
        return intern(root), int(revision)
    return intern(str(exec_id)), 0
