"""Slices of the soak, the mutants and the fuzzed frames."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.sim.campaign import late_tiers
from tests.sim.campaign.fuzz import GARBLES
from tests.sim.campaign.results import Options
from tests.sim.campaign.soak.weather import weather

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SLICE = Options(is_slice=True)


def test_slice_of_the_soak_violates_nothing() -> None:
    result = late_tiers.soaking(SLICE)

    assert result.failures == []
    assert result.figures["blows"] >= 5
    assert result.fills > 10, "a soak in which nothing trades proves nothing"


def test_slice_of_the_mutants_is_caught() -> None:
    result = late_tiers.mutants(SLICE)

    assert result.failures == []
    assert result.figures["mutants_caught"] == result.figures["mutants"] == len(late_tiers.SLICE_MUTANTS)


def test_slice_of_the_fuzzed_frames_books_no_garbage_and_ends_no_session() -> None:
    result = late_tiers.fuzzing(SLICE)

    assert result.failures == []
    assert result.runs >= 2_000
    assert result.fills > 5, "frames of which no fill is booked prove nothing"
    assert len(GARBLES) >= 10


def test_weather_of_a_seed_is_the_same_again_and_twenty_blows_a_minute() -> None:
    first, again, other = (list(weather(seed, 600.0, 3.0, 10.0)) for seed in (1, 1, 2))

    assert [(blow.at_s, blow.kind.name) for blow in first] == [(blow.at_s, blow.kind.name) for blow in again]
    assert [blow.at_s for blow in first] != [blow.at_s for blow in other]
    assert 160 <= len(first) <= 240
    assert not any(a.kind.heavy and b.kind.heavy and b.at_s < a.until_s for a, b in pairwise(first))
