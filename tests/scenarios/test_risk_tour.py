"""One account through a bad day; in the end every number of the statement is the gateway's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

TOUR = Path(__file__).parents[2] / "examples" / "risk_tour.py"


def test_after_a_bad_day_every_number_of_the_statement_equals_the_gateways_book() -> None:
    done = subprocess.run(
        [sys.executable, str(TOUR), "--json"], capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    rows = json.loads(done.stdout)
    assert {row["what"]: row["ours"] for row in rows} == {row["what"]: row["gateway"] for row in rows}
    held = {row["what"]: row["ours"] for row in rows if row["what"].startswith("position")}
    # after the split, by hand, by assignment, what the runaway got; and nothing of the fund
    assert held == {"position AAPL": "400", "position PEP": "50", "position SPY": "200", "position KO": "20"}
    assert {"cash EUR", "cash USD", "executions", "fees USD", "equity EUR"} <= {row["what"] for row in rows}
