"""A trader of the soak: trades for a while, rests for a while, and writes each fill to a file of its own."""

from __future__ import annotations

import os

from tests.sim.campaign.traders import Trader

from ibfloor import Fill


class Soaker(Trader):
    """A ``Trader`` with rests."""

    def on_start(self) -> None:
        super().on_start()
        self.began_ns = self.now_ns

    def on_fill(self, fill: Fill) -> None:
        file = os.open(self.params.told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, f"{fill.exec_id}\n".encode())
        os.close(file)

    def on_timer(self, name: str) -> None:
        phase = int((self.now_ns - self.began_ns) / 1e9 / self.params.rest_s) % 2
        if phase == 0:
            super().on_timer(name)
