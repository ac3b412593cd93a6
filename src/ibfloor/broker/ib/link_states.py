"""The states of a connection as a table: every edge with its reason. What is not listed cannot happen."""

from __future__ import annotations

from ibfloor.model.fact import SessionState as S

EDGES: dict[tuple[S, S], str] = {
    (S.DISCONNECTED, S.CONNECTING): "opened, or a try to come back has failed and another follows",
    (S.DISCONNECTED, S.CONNECTED): "came back at the first try",
    (S.DISCONNECTED, S.DEGRADED): "came back to a gateway that has no connection to IB",
    (S.DISCONNECTED, S.CLOSED): "closed while it was away",
    (S.DISCONNECTED, S.FAILED): "its keeper died of an error",
    (S.CONNECTING, S.CONNECTED): "the handshake is done and the peer answers",
    (S.CONNECTING, S.DEGRADED): "the gateway has no connection to IB",
    (S.CONNECTING, S.FAILED): "no connection in time, a client id in use, or not a gateway",
    (S.CONNECTING, S.CLOSED): "closed while it tried",
    (S.CONNECTED, S.CONNECTED): "something may have been missed: whoever hears it compares with the broker",
    (S.CONNECTED, S.DEGRADED): "IB is away from its gateway (1100, 2110), or a message could not be understood",
    (S.CONNECTED, S.DISCONNECTED): "the socket went, or the peer was mute",
    (S.CONNECTED, S.CLOSED): "closed",
    (S.CONNECTED, S.FAILED): "its keeper died of an error",
    (S.DEGRADED, S.CONNECTED): "IB is back (1101, 1102), and the stream is in step",
    (S.DEGRADED, S.DISCONNECTED): "the socket went, or the peer was mute",
    (S.DEGRADED, S.CLOSED): "closed",
    (S.DEGRADED, S.FAILED): "its keeper died of an error",
    (S.FAILED, S.CONNECTING): "opened again",
    (S.CLOSED, S.CONNECTING): "opened again",
}
"""Opened and closed are what the owner does; all else is what is heard, or not heard, of the peer."""
