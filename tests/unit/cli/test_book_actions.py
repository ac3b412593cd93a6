"""What a person classifies on the command line is what the floor is asked to book."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from ibfloor.cli import book_action
from ibfloor.model.booking import SpinOff
from ibfloor.model.ids import InstrumentId


def test_a_spin_off_is_asked_for_with_its_part_of_the_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(book_action, "book", lambda booking, *_, **more: asked.append((booking, more)))
    words = ["spinoff", "756733", "320227571", "1", "4", "--cost", "0.25", "--in-lieu", "131.40"]
    said = CliRunner().invoke(book_action.app, [*words, "--break", "position:320227571", "-r", "form 8937"])
    assert said.exit_code == 0, said.output
    ((booking, more),) = asked
    assert booking == SpinOff(
        instrument_id=InstrumentId(756733),
        child_id=InstrumentId(320227571),
        new=1,
        old=4,
        cost_share=Decimal("0.25"),
        px_in_lieu=Decimal("131.40"),
    )
    assert (more["reason"], more["break_key"]) == ("form 8937", "position:320227571")
