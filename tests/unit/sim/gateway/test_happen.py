"""What is to happen to an instrument that the gateway has not is refused, not said to have happened."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ibfloor.model.errors import ConfigError
from ibfloor.sim.gateway.happenings import read_happening
from ibfloor.sim.gateway.lifecycle import Lifecycle


def test_an_event_of_an_unknown_instrument_is_refused() -> None:
    master = SimpleNamespace(by_symbol=lambda symbol: object() if symbol == "KO" else None)
    lifecycle = Lifecycle(cast(Any, None), cast(Any, SimpleNamespace(master=master)), lambda _: None)
    lifecycle.check(read_happening('{"kind": "dividend", "symbol": "KO", "amount": 0.28}'))
    lifecycle.check(read_happening('{"kind": "deposit", "currency": "USD", "amount": 5000}'))
    for what in ('"dividend", "symbol": "NOPE", "amount": 0.28', '"split", "symbol": "NOPE", "ratio": 7'):
        with pytest.raises(ConfigError, match="this gateway has no instrument NOPE"):
            lifecycle.check(read_happening(f'{{"kind": {what}}}'))
