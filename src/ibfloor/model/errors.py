"""What can go wrong, by what must happen next."""

from __future__ import annotations


class FloorError(Exception):
    """Base of every error the floor raises on purpose; its text is fit for a person."""


class ConfigError(FloorError):
    """The user's files or arguments are wrong: says what, where, and how to mend it."""


class ConnectivityError(FloorError):
    """A peer is absent or lost: wait and try again."""


class BrokerRejected(FloorError):
    """The broker refused a request; the text is the broker's own."""


class StrategyError(FloorError):
    """A strategy misbehaved: stop that strategy, nothing else."""


class LedgerError(FloorError):
    """The journal or the ledger cannot be written or read: nothing may be sent."""
