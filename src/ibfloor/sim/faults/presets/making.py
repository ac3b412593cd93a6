"""How presets are written."""

from __future__ import annotations

import msgspec

from ibfloor.sim.faults import actions as do
from ibfloor.sim.faults.plan import Fault, When


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A plan to take by its name."""

    line: str
    faults: tuple[Fault, ...]


def one(line: str, name: str, what: do.AnyAction, when: When | None = None) -> Preset:
    """Return a preset of one fault."""
    return Preset(line=line, faults=(Fault(name=name, what=what, when=When() if when is None else when),))


def several(line: str, *faults: tuple[str, do.AnyAction, When]) -> Preset:
    """Return a preset of several faults."""
    return Preset(line=line, faults=tuple(Fault(name=name, what=what, when=when) for name, what, when in faults))


def each(on: str, after: str, codes: dict[int, str]) -> list[tuple[str, do.AnyAction, When]]:
    """Return faults that refuse the first of a kind with the first code, the second with the second, and so on."""
    kind = on.removeprefix("in:").replace("_", "-")
    return [
        (f"{kind}-{code}", do.Fail(code=code, text=text), When(on=on, after=after, nth=n))
        for n, (code, text) in enumerate(codes.items(), 1)
    ]


def often(on: str, probability: float) -> When:
    """Return a condition that holds by chance, however often."""
    return When(on=on, times=0, probability=probability)
