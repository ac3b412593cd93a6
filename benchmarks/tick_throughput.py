"""Ticks per second: one blast of ten instruments through the data session to a strategy and the recorder's queue.

ibfloor: data thread, lean decode, Quote and Trade objects, DataManager with its minute bars, recorder feed, mailbox,
strategy thread that sees every batch; order and number are checked. Floor: a raw socket that parses each price.
Peer: ib_async's IB counting the ticks of ``pendingTickersEvent``.
"""

from __future__ import annotations

import os

from benchmarks import contenders, tick_server
from benchmarks.harness import options, percentile, process, report

CONTENDERS = ("floor", "peer", "ours")


def trial(name: str, count: int) -> float:
    has_two = (os.cpu_count() or 1) > 1
    with process("gateway", tick_server.main, 0 if has_two else None) as gateway:
        port = gateway.get()
        with process(name, contenders.run, name, "blast", port, 1 if has_two else None) as contender:
            gateway.line.send(("blast", count))
            seconds, seen = contender.get()
            if name != "floor" and seen != count:
                raise RuntimeError(f"{name} saw {seen} of {count} ticks")
            if name == "ours" and not contender.get():
                raise RuntimeError("ours saw ticks out of order")
    return float(count / seconds)


def main() -> None:
    chosen = options()
    rounds = chosen.rounds or (1 if chosen.quick else 5)
    count = 20_000 if chosen.quick else 200_000
    rates: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name in CONTENDERS:
            rates[name].append(trial(name, count))
    floor, peer, ours = (percentile(rates[name], 0.5) for name in CONTENDERS)
    report(
        "tick_throughput",
        ours=round(ours),
        floor=round(floor),
        peer=round(peer),
        ratio_floor=round(ours / floor, 3),
        ratio_peer=round(ours / peer, 3),
        unit="ticks/s, median of rounds",
        n=count,
        rounds=rounds,
    )


if __name__ == "__main__":
    main()
