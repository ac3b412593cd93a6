"""Wire to wire: a tick in, a market order out, on the live path with gate, reservation and journal inside.

The gateway process stamps the tick as it sends it and the order as it arrives. One tick every 5 ms.
ibfloor runs whole: data thread, DataManager, mailbox, strategy thread, TradeManager, risk gate, worker
journal, MessageQueue with its own thread and journal, order template. Floor: a raw asyncio socket. Peer: ib_async's IB.
"""

from __future__ import annotations

import os

from benchmarks import contenders, tick_server
from benchmarks.harness import median_of, options, percentile, process, report

EVERY_S = 0.005
CONTENDERS = {
    "floor": ("floor", "process", True),
    "peer": ("peer", "process", True),
    "ours": ("ours", "process", True),
    "ours_unpinned": ("ours", "process", False),
    "ours_power": ("ours", "power", True),
}


def trial(name: str, count: int) -> dict[str, float]:
    contender, durability, is_pinned = CONTENDERS[name]
    has_two = (os.cpu_count() or 1) > 1
    core = 1 if has_two and is_pinned else None
    with process("gateway", tick_server.main, 0 if has_two and is_pinned else None) as gateway:
        port = gateway.get()
        with process(name, contenders.run, contender, "latency", port, core, durability):
            gateway.line.send(("latency", count, EVERY_S))
            latencies_us = gateway.get()
    warm = latencies_us[len(latencies_us) // 10 :]
    return {"p50": percentile(warm, 0.5), "p90": percentile(warm, 0.9), "p99": percentile(warm, 0.99)}


def main() -> None:
    chosen = options()
    rounds = chosen.rounds or (1 if chosen.quick else 5)
    count = 100 if chosen.quick else 500
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name in CONTENDERS:
            figures[name].append(trial(name, count))
    medians = {
        name: {key: round(median_of(trials, key), 1) for key in ("p50", "p90", "p99")}
        for name, trials in figures.items()
    }
    ours, floor, peer = medians["ours"], medians["floor"], medians["peer"]
    report(
        "wire_latency",
        ours=ours["p50"],
        floor=floor["p50"],
        peer=peer["p50"],
        ratio_floor=round(ours["p50"] / floor["p50"], 3),
        ratio_peer=round(ours["p50"] / peer["p50"], 3),
        ratio_peer_p99=round(ours["p99"] / peer["p99"], 3),
        unit="us, p50, median of rounds",
        n=count * rounds,
        rounds=rounds,
        percentiles=medians,
    )


if __name__ == "__main__":
    main()
