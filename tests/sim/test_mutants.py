"""The mutants of the campaign fit the source as it is now."""

from __future__ import annotations

import msgspec
import pytest
from tests.sim.campaign.mutation import SOURCE, StaleMutant, load, mutated

MUTANTS = load()


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_mutant_changes_the_source_exactly_where_it_says(mutant: object) -> None:
    texts = mutated(mutant)  # type: ignore[arg-type]
    assert all(text != (SOURCE / file).read_text(encoding="utf-8") for file, text in texts.items())


def test_mutants_are_as_many_as_the_campaign_says_and_each_is_named_once() -> None:
    assert len(MUTANTS) == len({mutant.name for mutant in MUTANTS}) == 32


def test_mutant_that_does_not_fit_any_more_is_an_error_that_says_so() -> None:
    edit = msgspec.structs.replace(MUTANTS[0].edit[0], old="no such line\n")
    with pytest.raises(StaleMutant, match=r"has this 0 times"):
        mutated(msgspec.structs.replace(MUTANTS[0], edit=(edit,)))
