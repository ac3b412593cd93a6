// The key figures, each against its limit where there is one.
import * as f from "./format.js";
import { classes, html } from "./lib.js";
import { useRow, useTopic } from "./store.js";

const WARN_PCT = 75;
const CARDS_OF_RULES = 3;

export function Kpis() {
  const floor = useRow("floor", "floor");
  const account = useRow("account");
  const risk = [...useTopic("risk").values()];
  if (!floor) return null;
  const limited = risk.filter((row) => row.used_pct !== null).sort((a, b) => b.used_pct - a.used_pct);
  const hasGross = limited.some((row) => row.rule.includes("gross"));
  return html`<section class="kpis" aria-label="Key figures">
    <${Kpi} label="Strategies running" value=${`${floor.strategies_running} / ${floor.strategies_total}`} name="running" />
    <${Kpi} label="Working orders" value=${f.plain(floor.orders_working, 0)} name="working"
      note=${floor.orders_unknown > 0 ? `${floor.orders_unknown} unknown` : ""} isBad=${floor.orders_unknown > 0} />
    ${hasGross ? null : html`<${Exposure} account=${account} />`}
    ${limited.slice(0, hasGross ? CARDS_OF_RULES + 1 : CARDS_OF_RULES).map(
      (row) => html`<${Kpi} key=${row.rule} label=${labelOf(row.rule)} value=${amountOf(row.used)}
        note=${`limit ${limitOf(row.limit)}`} title=${`${f.words(row.rule)}: ${row.used}; the limit is ${row.limit}`} pct=${row.used_pct} />`,
    )}
    ${floor.breaks > 0
      ? html`<${Kpi} label="Breaks" value=${f.plain(floor.breaks, 0)} name="breaks" note="books ≠ account" isBad />`
      : html`<${Kpi} label="Refused orders" value=${f.plain(floor.rejected, 0)} name="refused" />`}
  </section>`;
}

// The gate judges orders one by one: what it tells of them is the largest so far.
const LABELS = { max_order_qty: "Largest order", max_order_notional: "Largest notional" };

function labelOf(rule) {
  if (LABELS[rule]) return LABELS[rule];
  return f.words(String(rule).replace(/^max[_-]/i, "")); // the bar and its limit say that it is a maximum
}

// A rule says "89190.5 (largest order)": the number with separators is the figure, the rest its title.
function amountOf(text) {
  const [number] = String(text).match(/^[+-]?\d+(\.\d+)?/) || [];
  if (number === undefined) return text;
  const digits = Math.abs(number) >= 1000 ? 0 : Math.min(2, (number.split(".")[1] || "").length);
  return f.plain(number, digits) + text.slice(number.length).replace(/\s*\(.*\)$|, .*$/, "");
}

function limitOf(text) {
  const amount = Number(text);
  return amount >= 1e6 && amount % 1e4 === 0 ? `${amount / 1e6}M` : amountOf(text); // round ones are short
}

function Exposure({ account }) {
  const net = Number(account?.net_liquidation);
  const gross = account?.gross_exposure;
  const pct = f.isMissing(gross) || !(net > 0) ? null : (Number(gross) / net) * 100;
  const netPct = f.isMissing(account?.net_exposure) || !(net > 0) ? null : (Number(account.net_exposure) / net) * 100;
  return html`<${Kpi} label="Gross exposure" name="gross" value=${pct === null ? f.DASH : `${f.plain(pct, 1)}%`}
    note=${netPct === null ? "" : `net ${f.signed(netPct, 1)}%`} />`;
}

function Kpi({ label, value, note = "", title = "", pct = null, isBad = false, name = "" }) {
  const level = pct === null ? "" : pct >= 100 ? "is-over" : pct >= WARN_PCT ? "is-near" : "";
  return html`<div class=${classes("kpi", "panel", isBad && "is-bad")} title=${title} data-test=${name ? `kpi-${name}` : undefined}>
    <div class="kpi-label">${label}</div>
    <div class="kpi-value"><b>${value}</b><small>${note}</small></div>
    ${pct !== null &&
    html`<div class=${classes("bar", level)} role="meter" aria-label=${`${label} used`} aria-valuemin="0" aria-valuemax="100"
      aria-valuenow=${Math.round(pct)}><i style=${{ width: `${Math.max(0, Math.min(100, pct))}%` }}></i></div>`}
  </div>`;
}
