"""IB's refusals of orders, with their codes."""

from __future__ import annotations

import msgspec

REJECTED = 201
_REJECTED_TEXT = "Order rejected - reason:"


class TicketError(Exception):
    """IB's refusal of an order, with its code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def reason(self) -> str:
        """Return a rejection's reason, without the words that every rejection begins with."""
        return self.text.removeprefix(_REJECTED_TEXT)

    @property
    def reject_json(self) -> str:
        """Return the refusal as IB's advanced reject, for clients that read it; only 201 has one."""
        return advanced_reject(self.text) if self.code == REJECTED else ""


def advanced_reject(text: str) -> str:
    """Return a rejection as IB's JSON."""
    return msgspec.json.encode({"rejects": [{"code": str(REJECTED), "message": text}]}).decode()


def rejected(reason: str) -> TicketError:
    """Return a rejection with its reason."""
    return TicketError(REJECTED, _REJECTED_TEXT + reason)


def invalid(cause: str) -> TicketError:
    """Return the refusal of an order that makes no sense."""
    return TicketError(321, f"Error validating request.-'bH' : cause - {cause}")
