"""What goes wrong in a soak, and when: a seeded list of blows against a gateway and a floor that are processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random

import msgspec

from ibfloor.sim.faults import When
from ibfloor.sim.faults import actions as do

Make = Callable[[Random, float], tuple[tuple[do.AnyAction, When], ...]]
"""Faults of a blow, from chance and from how many market seconds it lasts."""


class Kind(msgspec.Struct, frozen=True):
    """One kind of blow."""

    name: str
    weight: int
    lasts_s: tuple[float, float]
    """Wall seconds, from and to; after that it is cleared."""
    make: Make | None = None
    freezes: str = ""
    """Which process stands still instead: ``gateway`` or ``floor``."""
    heavy: bool = False
    """It takes the connection or IB away: never two of these at once, or nobody could say what was known when."""


class Blow(msgspec.Struct, frozen=True):
    """One blow: when it comes, and when it has passed, in wall seconds from the start."""

    at_s: float
    until_s: float
    kind: Kind
    faults: tuple[tuple[do.AnyAction, When], ...]


def _one(what: Callable[[Random, float], do.AnyAction], when: When | None = None) -> Make:
    return lambda random, for_s: ((what(random, for_s), when or When()),)


def _often(on: str, probability: float) -> When:
    return When(on=on, times=0, probability=probability)


def _reset_one(random: Random, _for_s: float) -> do.Reset:
    return do.Reset(after_bytes=random.choice((1, 200, 5000)))


def _refusal(random: Random, _for_s: float) -> do.Fail:
    code, text = random.choice(
        (
            (201, "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. Insufficient margin."),
            (110, "The price does not conform to the minimum price variation for this contract."),
            (321, "Error validating request.-'bH' : cause - Invalid."),
            (104, "Cannot modify a filled order."),
        )
    )
    return do.Fail(code=code, text=text)


def _outage(random: Random, for_s: float) -> do.LoseUpstream:
    return do.LoseUpstream(for_s=for_s, code=random.choice((1100, 1100, 2110)), copies=random.choice((1, 3)))


_MENU: tuple[Kind, ...] = (
    Kind("connections reset", 3, (0.2, 0.2), _one(lambda *_: do.Reset()), heavy=True),
    Kind("connections reset in a message", 3, (2.0, 2.0), _one(_reset_one), heavy=True),
    Kind("gateway restarts", 2, (2.0, 6.0), _one(lambda random, s: do.Restart(for_s=s, rollback=5)), heavy=True),
    Kind("order lost in a reset", 2, (3.0, 3.0), _one(lambda *_: do.Reset(), When(on="in:place_order")), heavy=True),
    Kind("gateway frozen", 2, (0.5, 6.0), freezes="gateway", heavy=True),
    Kind("floor frozen", 2, (0.2, 2.0), freezes="floor", heavy=True),
    Kind("no byte passes", 1, (2.0, 9.0), _one(lambda random, s: do.Mute(for_s=s)), heavy=True),
    Kind("gateway mute", 1, (1.0, 6.0), _one(lambda random, s: do.Mute(way="out", for_s=s)), heavy=True),
    Kind("gateway deaf", 1, (1.0, 6.0), _one(lambda random, s: do.Mute(way="in", for_s=s)), heavy=True),
    Kind("1100, 1102", 3, (1.0, 5.0), _one(_outage), heavy=True),
    Kind("1100, 1101", 2, (1.0, 5.0), _one(lambda random, s: do.LoseUpstream(for_s=s, data_lost=True)), heavy=True),
    Kind("farm halted", 3, (1.0, 4.0), _one(lambda random, s: do.FarmDown(for_s=s))),
    Kind("competing session", 1, (1.0, 4.0), _one(lambda random, s: do.Compete(for_s=s))),
    Kind("late fees", 3, (4.0, 4.0), _one(lambda *_: do.Delay(seconds=30), _often("out:commission", 1))),
    Kind("fees first", 1, (3.0, 3.0),
         _one(lambda *_: do.Reorder(behind_message="commission", at_most_s=5), _often("out:exec_details", 0.5))),
    Kind("rejects", 3, (2.0, 4.0), _one(_refusal, _often("in:place_order", 0.3))),
    Kind("cancels refused", 2, (2.0, 4.0),
         _one(lambda *_: do.Fail(code=10148, text="OrderId cannot be cancelled."), _often("in:cancel_order", 0.5))),
    Kind("cancel and fill at once", 2, (2.0, 4.0),
         _one(lambda *_: do.FillBeforeCancel(), _often("in:cancel_order", 0.5))),
    Kind("orders swallowed", 2, (2.0, 4.0), _one(lambda *_: do.Drop(), _often("in:place_order", 0.1))),
    Kind("states twice", 2, (3.0, 5.0), _one(lambda *_: do.Duplicate(), _often("out:order_status", 0.5))),
    Kind("states lost", 2, (2.0, 4.0), _one(lambda *_: do.Drop(), _often("out:order_status", 0.2))),
    Kind("executions twice", 2, (3.0, 5.0), _one(lambda *_: do.Duplicate(), _often("out:exec_details", 1))),
    Kind("executions lost", 2, (2.0, 3.0), _one(lambda *_: do.Drop(), _often("out:exec_details", 0.3))),
    Kind("corrections", 2, (3.0, 5.0), _one(lambda *_: do.CorrectFill(after_s=10), _often("event:filled", 0.3))),
    Kind("traded by hand", 1, (1.0, 1.0),
         _one(lambda *_: do.ManualOrder(symbol="SPY", qty=Decimal(3), limit_px=Decimal(900)))),
    Kind("warnings", 2, (3.0, 5.0),
         _one(lambda *_: do.Remark(code=10349, text="Order TIF was set to DAY based on order preset."),
              _often("in:place_order", 0.5))),
    Kind("frames torn", 2, (2.0, 4.0), _one(lambda *_: do.Split(at=3), _often("out:order_status", 0.3))),
    Kind("garbage", 1, (2.0, 3.0), _one(lambda *_: do.Garbage(), _often("out:order_status", 0.1))),
)  # fmt: skip


def weather(seed: int, for_s: float, every_s: float, speed: float) -> Iterator[Blow]:
    """Yield the blows of a soak in order of time; as many as the time holds."""
    random = Random(f"{seed}:soak")
    at_s, heavy_until_s = every_s, 0.0
    while at_s < for_s:
        menu = [kind for kind in _MENU if not kind.heavy or at_s > heavy_until_s]
        kind = random.choices(menu, [each.weight for each in menu])[0]
        lasts_s = random.uniform(*kind.lasts_s)
        if kind.heavy:
            heavy_until_s = at_s + lasts_s + 1.0
        faults = () if kind.make is None else kind.make(random, lasts_s * speed)
        yield Blow(at_s, at_s + lasts_s, kind, faults)
        at_s += every_s * random.uniform(0.5, 1.5)


KINDS = tuple(kind.name for kind in _MENU)
