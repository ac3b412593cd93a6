"""The broker's own account figures as last reported, readable from any thread."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from ibfloor.model.account import AccountReported
from ibfloor.model.ids import AccountId


class AccountBoard:
    """The newest figures, one immutable dictionary swapped as a whole. Writer: the account thread."""

    def __init__(self) -> None:
        self._account = AccountId("")
        self._values: dict[tuple[str, str], str] = {}

    def take(self, report: AccountReported) -> None:
        """Take what the broker reported; figures it does not repeat stay."""
        fresh = {(key, currency): text for key, text, currency in report.values}
        self._values = {**self._values, **fresh}
        self._account = report.account

    @property
    def account(self) -> AccountId:
        """Return the account's id; empty before the first report."""
        return self._account

    def amount(self, key: str) -> Decimal | None:
        """Return a figure in the account's own currency; ``None`` when it was not reported."""
        for (name, currency), text in self._values.items():
            if name == key and currency not in ("BASE", ""):
                try:
                    return Decimal(text)
                except InvalidOperation:
                    return None
        return None
