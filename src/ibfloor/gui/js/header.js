// Always in sight: which account, how it stands, whether the line is alive, what time it is there, and the stop.
import { heardAgoMs, stale } from "./feed.js";
import * as f from "./format.js";
import { Icon } from "./icons.js";
import { classes, html, useEffect, useState } from "./lib.js";
import { logOut } from "./rest.js";
import { openStop } from "./stop.js";
import { useCell, useRow, useTopic } from "./store.js";
import { themeName, toggleTheme } from "./themes.js";

export function Header() {
  const floor = useRow("floor", "floor");
  if (floor) f.setExchangeTime(floor.time_zone || "America/New_York", floor.ts_ns);
  const isLive = floor?.mode === "live";
  return html`<header>
    <a class="brand" href="#home"><${Logo} /><b>ibfloor</b></a>
    ${floor && html`<span class=${classes("mode", isLive && "is-live")} data-test="mode">${isLive ? "LIVE" : "PAPER"}</span>`}
    <${Account} />
    <span class="space"></span>
    <${Connection} />
    <${Clock} floor=${floor} />
    <${ThemeButton} />
    <button type="button" class="icon-button log-out" onClick=${logOut} aria-label="Log out"><${Icon} name="door" /></button>
    <button type="button" class="stop-all" onClick=${openStop} aria-haspopup="dialog" data-test="stop-all">
      <${Icon} name="alert" size="18" /><span>STOP<i> ALL</i></span>
    </button>
  </header>`;
}

function Logo() {
  return html`<svg class="logo" viewBox="0 0 24 24" width="26" height="26" aria-hidden="true">
    <rect width="24" height="24" rx="6" />
    <path d="M5 15.5l4-4.2 3.2 2.6L18.5 7.5" /><path class="floor-line" d="M5 19h13.5" />
  </svg>`;
}

function Account() {
  const row = useRow("account");
  if (!row) return null;
  const fees = f.isMissing(row.fees) ? null : -Number(row.fees); // what was paid counts against the result
  const dayPct = f.dayPercent(row);
  return html`
    <span class="account-name">${row.account}</span>
    <dl class="strip">
      <${Figure} label="Net liquidation" value=${f.plain(row.net_liquidation)} tone="" name="net" />
      <${Figure} label="Day P&L" value=${f.signed(row.day_pnl)} tone=${f.tone(row.day_pnl)} name="day" title="Since the day began, less fees"
        extra=${dayPct === null ? "" : f.percent(dayPct)} />
      <${Figure} label="Unrealised" value=${f.signed(row.unrealised_pnl)} tone=${f.tone(row.unrealised_pnl)} name="unrealised"
        title="Of the positions open now" />
      <${Figure} label="Realised, all time" value=${f.signed(row.realised_pnl)} tone=${f.tone(row.realised_pnl)} name="realised"
        title="Since the ledger began, before fees" />
      <${Figure} label="Fees, all time" value=${f.signed(fees)} tone=${f.tone(fees)} name="fees" title="Since the ledger began" />
    </dl>
  `;
}

// A phone shows whole currency: the cents are an element of their own that it hides.
function Figure({ label, value, tone, name, title = "", extra = "" }) {
  const [whole, cents] = value.split(".");
  return html`<div class=${`figure figure-${name}`} title=${title}>
    <dt>${label}</dt>
    <dd class=${tone} data-test=${name}>${whole}${cents && html`<span class="cents">.${cents}</span>`}
      ${extra && html`<small>${extra}</small>`}</dd>
  </div>`;
}

function Connection() {
  const sessions = useTopic("sessions");
  const reason = useCell(stale);
  const main = ["master", "data"].map((name) => sessions.get(name)).filter(Boolean);
  const isUp = !reason && main.length > 0 && main.every((row) => row.state === "CONNECTED");
  const isLost = Boolean(reason) || main.some((row) => row.state !== "CONNECTED" && row.state !== "DEGRADED");
  const tripMs = useRow("floor", "floor")?.gateway_round_trip_ms ?? -1;
  const worst = main.find((row) => row.state !== "CONNECTED");
  const words = reason ? "No line" : isUp ? "IB Gateway" : `IB ${f.words(worst?.state || "unknown")}`;
  return html`<span class=${classes("pill", isUp ? "is-up" : isLost ? "is-down" : "is-weak")} title=${worst?.detail || ""}
    data-test="connection"><i class="light"></i><span class="pill-words">${words}${
      isUp && tripMs >= 0 && html`<b> ${f.plain(tripMs, tripMs < 10 ? 1 : 0)} ms</b>`
    }</span></span>`;
}

function Clock({ floor }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 250);
    return () => clearInterval(timer);
  }, []);
  if (!floor) return null;
  const sinceMs = Math.min(heardAgoMs(), 1000); // a silent floor's clock stands still
  const ns = floor.ts_ns + sinceMs * 1e6 * floor.speed;
  return html`<span class="clock" data-test="clock"><time>${f.timeOf(ns)}</time> ${f.zoneWord()}
    ${floor.speed !== 1 && html`<b class="speed" title="Market time runs this much faster">${f.plain(floor.speed, 0)}×</b>`}
  </span>`;
}

function ThemeButton() {
  const theme = useCell(themeName);
  const other = theme === "dark" ? "light" : "dark";
  return html`<button type="button" class="icon-button theme" onClick=${toggleTheme} aria-label=${`Use the ${other} theme`}>
    <${Icon} name=${theme === "dark" ? "moon" : "sun"} />
  </button>`;
}
