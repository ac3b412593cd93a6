"""Order messages read straight from their byte fields: the lean path into facts.

orderStatus, openOrder, execDetails and commissionReport come often; all others the library decodes.
Field positions are those of server versions 157 to 178, which is all that ib_async negotiates.
"""

from __future__ import annotations

from decimal import Decimal
from sys import intern
from typing import NamedTuple

from ibfloor.broker.ib.convert import to_decimal, to_multiplier, to_side, to_status
from ibfloor.broker.ib.times import parse_time
from ibfloor.model.fact import FeeReported, OrderFilled
from ibfloor.model.ids import UNASSIGNED, AccountId, ClientOrderId, ExecId, InstrumentId, StrategyId, owner_of
from ibfloor.model.money import Currency, Money
from ibfloor.model.order import OrdStatus

ORDER_STATUS, OPEN_ORDER, EXEC_DETAILS, COMMISSION = b"3", b"5", b"11", b"59"

_ZERO = Decimal(0)
_FA_PROFILE_GONE = 177
_REVISION_SAID = 178
_FILL_FIELDS = 32
"""Of an execution, the end of its last field counted; one more from version 178."""
_STATUS_AT = 85
"""Where an openOrder's status stands when none of its optional blocks is there (from version 177)."""


class StatusMessage(NamedTuple):
    """An orderStatus."""

    order_id: int
    client_id: int
    perm_id: int
    status: OrdStatus
    cum_qty: Decimal
    leaves_qty: Decimal
    text: str


class OpenMessage(NamedTuple):
    """What an openOrder says of an order of ours."""

    order_id: int
    client_id: int
    perm_id: int
    order_ref: str
    status: OrdStatus
    text: str
    is_what_if: bool
    order_qty: Decimal | None = None


def read_status(fields: list[bytes]) -> StatusMessage:
    """Read message 3; raise ``ValueError`` or ``IndexError`` for a broken one."""
    word = fields[2].decode()
    cum_qty = to_decimal(fields[3].decode()) or _ZERO
    leaves_qty = to_decimal(fields[4].decode()) or _ZERO
    status = to_status(word, cum_qty, leaves_qty)
    held = fields[10].decode(errors="backslashreplace")
    return StatusMessage(
        int(fields[1]),
        int(fields[9] or 0),
        int(fields[6] or 0),
        status,
        cum_qty,
        leaves_qty,
        f"{word} {held}".strip() if held or status is OrdStatus.UNKNOWN else "",
    )


def read_open_order(fields: list[bytes], server_version: int) -> OpenMessage | None:
    """Read message 5 of a plain order; ``None`` where optional blocks move its fields (library decode)."""
    shift = 0 if server_version >= _FA_PROFILE_GONE else 1
    if not _is_plain(fields, shift):
        return None
    at = _STATUS_AT + shift
    word = fields[at].decode()
    status = to_status(word, _ZERO, None)
    return OpenMessage(
        int(fields[1]),
        int(fields[24] or 0),
        int(fields[25] or 0),
        fields[23].decode(errors="backslashreplace"),
        status,
        fields[at + 14].decode(errors="backslashreplace"),
        fields[at - 1] == b"1",
        to_decimal(fields[14].decode()),
    )


def _is_plain(fields: list[bytes], shift: int) -> bool:
    # delta neutral type, combo legs, order legs, smart routing, scale increment, hedge, delta neutral, algo
    return (
        not fields[61 + shift]
        and fields[70 + shift] in (b"0", b"")
        and fields[71 + shift] in (b"0", b"")
        and fields[72 + shift] in (b"0", b"")
        and not to_decimal(fields[75 + shift].decode())
        and not fields[76 + shift]
        and fields[81 + shift] in (b"0", b"")
        and not fields[82 + shift]
    )


class Summaries:
    """Executions of combinations as a whole: their legs come as executions of their own, and those are booked.

    Owner: the session's thread.
    """

    def __init__(self) -> None:
        self._exec_ids: set[bytes] = set()

    def is_execution(self, fields: list[bytes]) -> bool:
        """Tell whether message 11 is of a combination as a whole."""
        if fields[5] != b"BAG":
            return False
        self._exec_ids.add(fields[14])
        return True

    def is_fee(self, fields: list[bytes]) -> bool:
        """Tell whether message 59 is of a combination as a whole."""
        return fields[2] in self._exec_ids


def read_fill(
    fields: list[bytes], known: ClientOrderId | None, *, naive_zone: str, now_ns: int, server_version: int = 0
) -> OrderFilled:
    """Read message 11 into a fill, by its orderRef first, else as an execution of ``known``.

    Raises ``ValueError`` for one that no broker would tell: a fill moves money, garbage must not become one.
    """
    _check_shape(fields, server_version)
    order_ref = fields[26].decode(errors="backslashreplace")
    owner = owner_of(order_ref)
    cl_ord_id, strategy = _whose(owner, order_ref, known)
    qty, px = to_decimal(fields[19].decode()), to_decimal(fields[20].decode())
    if qty is None or px is None or qty <= 0:
        raise ValueError(f"execution {fields[14]!r} has no quantity or no price")
    return OrderFilled(
        ts_event_ns=parse_time(fields[15].decode(), naive_zone),
        ts_init_ns=now_ns,
        exec_id=ExecId(fields[14].decode()),
        cl_ord_id=cl_ord_id,
        strategy=strategy,
        instrument_id=InstrumentId(int(fields[3])),
        side=to_side(fields[18].decode()),
        last_qty=qty,
        last_px=px,
        currency=Currency(intern(fields[11].decode())),  # what few values repeat is kept once
        multiplier=to_multiplier(fields[9].decode()),
        perm_id=int(fields[21] or 0),
        account=AccountId(intern(fields[16].decode())),
        order_ref=order_ref,
    )


def _check_shape(fields: list[bytes], server_version: int) -> None:
    # Fields that are lost or too many move all that follow: numbers must stand where numbers belong.
    is_short = len(fields) == _FILL_FIELDS and not server_version >= _REVISION_SAID
    is_long = len(fields) == _FILL_FIELDS + 1 and (server_version >= _REVISION_SAID or not server_version)
    if not is_short and not is_long:
        raise ValueError(f"an execution of {len(fields)} fields")
    exec_id, currency = fields[14].decode("ascii"), fields[11].decode("ascii")
    if not exec_id.strip() or not exec_id.isprintable():
        raise ValueError(f"an execution without an id: {exec_id!r}")
    if len(currency) != 3 or not currency.isalpha() or not currency.isupper():
        raise ValueError(f"execution {exec_id} is in no currency: {currency!r}")
    if int(fields[3]) <= 0 or to_multiplier(fields[9].decode()) <= 0:
        raise ValueError(f"execution {exec_id} is of no contract: {fields[3]!r}, multiplier {fields[9]!r}")
    for at in (22, 23):
        int(fields[at] or 0)
    for at in (24, 25):
        to_decimal(fields[at].decode())


def _whose(
    owner: StrategyId | None, order_ref: str, known: ClientOrderId | None
) -> tuple[ClientOrderId | None, StrategyId]:
    if owner is not None:
        return ClientOrderId(order_ref), StrategyId(intern(owner))
    if known is not None:
        return known, owner_of(known) or UNASSIGNED
    return None, UNASSIGNED


def read_fee(fields: list[bytes], now_ns: int) -> FeeReported | None:
    """Read message 59; ``None`` where IB does not know the fee yet."""
    amount = to_decimal(fields[3].decode())
    if amount is None:
        return None
    return FeeReported(
        ts_event_ns=now_ns,
        ts_init_ns=now_ns,
        exec_id=ExecId(fields[2].decode()),
        fee=Money(amount, Currency(intern(fields[4].decode()))),
    )
