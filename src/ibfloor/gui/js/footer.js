// What carries the page: sessions, recorder, how fast it draws, and who made the charts.
import { uiLagMs } from "./feed.js";
import * as f from "./format.js";
import { classes, html } from "./lib.js";
import { useCell, useRow, useTopic } from "./store.js";

export function Footer() {
  const floor = useRow("floor", "floor");
  const sessions = [...useTopic("sessions").values()];
  const lag = useCell(uiLagMs);
  const named = ["master", "data"].map((name) => sessions.find((row) => row.session === name)).filter(Boolean);
  const others = sessions.filter((row) => !named.includes(row));
  const open = others.filter((row) => row.state !== "CLOSED"); // ended on purpose: no fault, and nothing to count
  return html`<footer>
    ${named.map((row) => html`<${Light} key=${row.session} kind=${kindOf([row])} title=${row.detail}
      text=${`${f.words(row.session)} · client ${row.client_id}`} />`)}
    ${others.length > 0 && html`<${Light} kind=${kindOf(open)} text=${strategiesText(open)} />`}
    ${floor && html`<span>${f.plain(floor.messages_per_s, 0)} msg/s</span>
      <span>${f.plain(floor.bars_stored, 0)} bars stored</span>
      <span title="Loop lag of the floor, 99th percentile">loop ${f.plain(floor.loop_lag_p99_ms, 1)} ms</span>`}
    <span class="space"></span>
    <span data-test="ui-lag">UI lag ${lag} ms</span>
    <span>Charts by <a href="https://www.tradingview.com/" target="_blank" rel="noopener noreferrer">TradingView</a></span>
    ${floor && html`<span>v${floor.version}</span>`}
  </footer>`;
}

function kindOf(rows) {
  const states = new Set(rows.map((row) => row.state));
  if (states.has("DISCONNECTED") || states.has("FAILED")) return "is-down";
  if (states.has("CONNECTING") || states.has("DEGRADED")) return "is-weak";
  return states.has("CONNECTED") ? "is-up" : "";
}

function strategiesText(open) {
  if (open.length === 0) return "Strategies closed";
  const up = open.filter((row) => row.state === "CONNECTED").length;
  return `Strategies ${up} / ${open.length} · clients ${idsOf(open)}`;
}

function Light({ kind, text, title = "" }) {
  return html`<span title=${title} class=${classes("footer-light", kind)} data-test="footer-light"><i class="light"></i>${text}</span>`;
}

function idsOf(rows) {
  const ids = rows.map((row) => row.client_id).filter((id) => id >= 0).sort((a, b) => a - b);
  if (ids.length === 0) return f.DASH;
  return ids.length > 1 ? `${ids[0]}–${ids[ids.length - 1]}` : String(ids[0]);
}
