// The one WebSocket: a snapshot, then numbered changes; a gap asks for a new snapshot; it comes back by itself.
import { applyChanges, applySnapshot, cell } from "./store.js";

const STALE_MS = 3000;
const RETRY_MS = [250, 500, 1000, 2000, 3000];
const NOT_LOGGED_IN = 4401;

export const stale = cell("Connecting to the floor");
export const uiLagMs = cell(0);
export const hasData = cell(false);

let socket = null;
let seq = -1;
let heardMs = 0;
let failures = 0;
let said = "";

export function heardAgoMs() {
  return performance.now() - heardMs;
}

export function startFeed() {
  document.addEventListener("visibilitychange", tellVisibility);
  setInterval(judge, 500);
  connect();
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/ws`);
  socket.onopen = tellVisibility;
  socket.onmessage = onMessage;
  socket.onclose = onClose;
}

function onMessage(event) {
  const startMs = performance.now();
  const message = JSON.parse(event.data);
  if (message.rows) {
    applySnapshot(message.rows);
    hasData.set(Object.keys(message.rows).length > 0);
  } else if (message.seq !== seq + 1) {
    if (seq >= 0) socket.send(JSON.stringify({ again: true }));
    seq = -1; // until the snapshot comes, nothing is applied
    return;
  } else {
    applyChanges(message.changed);
  }
  seq = message.seq;
  heardMs = performance.now();
  failures = 0;
  said = message.stale;
  judge();
  setTimeout(() => uiLagMs.set(Math.round(performance.now() - startMs)), 0); // after Preact has rendered
}

function onClose(event) {
  seq = -1;
  if (event.code === NOT_LOGGED_IN) {
    location.replace("/login");
    return;
  }
  setTimeout(connect, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
}

function judge() {
  if (heardAgoMs() > STALE_MS || heardMs === 0) {
    stale.set(heardMs === 0 ? "Connecting to the floor" : "The web process does not answer");
  } else {
    stale.set(said);
  }
}

function tellVisibility() {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ hidden: document.hidden }));
}
