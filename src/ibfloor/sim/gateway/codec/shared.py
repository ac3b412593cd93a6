"""Frames that many clients get with no difference but the request id: the rest is encoded once."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from ibfloor.sim.gateway.codec.kinds import COUNT, Scalar, Values

OWN = "req_id"
_KEPT_MAX = 4096


class SharedFrames:
    """Encodes one plain message of one version. Owner: the gateway's one thread.

    ``fields`` are the names it has and what stands for those not given; ``encode`` writes all of them.
    """

    def __init__(
        self, encode: Callable[[Values], list[str]], fields: Sequence[tuple[str, Scalar]], own_index: int
    ) -> None:
        self._encode = encode
        self._fields = [field for field in fields if field[0] != OWN]
        self._own_index = own_index
        self._kept: dict[tuple[object, ...], tuple[bytes, bytes]] = {}

    def frame(self, values: Values) -> bytes:
        """Return the frame of a message."""
        key = tuple([values.get(name, default) for name, default in self._fields])
        around = self._kept.get(key)
        if around is None:
            around = self._keep(key, values)
        own = COUNT.encode(values.get(OWN, COUNT.default)).encode()  # type: ignore[arg-type]  # a scalar, by its table
        return struct.pack(">I", len(around[0]) + len(own) + len(around[1])) + around[0] + own + around[1]

    def _keep(self, key: tuple[object, ...], values: Values) -> tuple[bytes, bytes]:
        if len(self._kept) >= _KEPT_MAX:
            self._kept.clear()  # prices move on: what was told long ago is not told again
        fields = self._encode(values)
        head, tail = fields[: self._own_index], fields[self._own_index + 1 :]
        around = ("\0".join(head) + "\0").encode(), ("\0" + "\0".join(tail) + "\0").encode(errors="backslashreplace")
        self._kept[key] = around
        return around
