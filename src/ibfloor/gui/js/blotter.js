// Orders, fills and positions; a working order can be cancelled, and all of them.
import * as f from "./format.js";
import { Icon } from "./icons.js";
import { html, pure, useState } from "./lib.js";
import { give } from "./rest.js";
import { instrumentOf, select, useSelection } from "./selection.js";
import { useRow, useTopic } from "./store.js";

const ROWS_MAX = 200;
const CONFIRM_MS = 4000;
const DONE = new Set(["FILLED", "CANCELED", "REJECTED"]);
const STATUS_TONES = { FILLED: "gain", REJECTED: "loss", UNKNOWN: "loss", PARTIALLY_FILLED: "accent", NEW: "accent",
  PENDING_NEW: "warn", PENDING_CANCEL: "warn", PENDING_REPLACE: "warn" };
const STATUS_WORDS = { PARTIALLY_FILLED: "Partial", NEW: "Working", PENDING_NEW: "Sending", PENDING_CANCEL: "Cancelling",
  PENDING_REPLACE: "Changing" };

export function isWorking(order) {
  return !DONE.has(order.status);
}

export function Blotter() {
  const [tab, setTab] = useState("Orders");
  const [isOnlyChosen, setOnlyChosen] = useState(false);
  const { strategy } = useSelection();
  const { orders_working: atWork = 0, fills: filled = 0 } = useRow("floor", "floor") ?? {}; // the floor's counts: this page holds the newest only
  const orders = [...useTopic("orders").values()];
  const fills = [...useTopic("fills").values()];
  const positions = [...useTopic("positions").values()].filter((row) => Number(row.qty) !== 0);
  const only = (rows) => (isOnlyChosen ? rows.filter((row) => row.strategy === strategy) : rows);
  const tabs = [["Orders", atWork], ["Fills", filled], ["Positions", positions.length]];
  return html`<section id="orders" class="panel blotter" aria-label="Orders, fills and positions">
    <div class="panel-head">
      <div class="tabs" role="tablist">
        ${tabs.map(([name, count]) => html`<button type="button" role="tab" key=${name} aria-selected=${tab === name}
          onClick=${() => setTab(name)}>${name}<span class="badge" data-test=${`count-${name.toLowerCase()}`}>${count}</span></button>`)}
      </div>
      <span class="space"></span>
      ${strategy && html`<label class="only"><input type="checkbox" checked=${isOnlyChosen}
        onChange=${(event) => setOnlyChosen(event.target.checked)} />Only ${strategy}</label>`}
      ${tab === "Orders" && html`<${CancelAll} count=${atWork} />`}
    </div>
    <div class="scroll" role="tabpanel" aria-label=${tab}>
      ${tab === "Orders" && html`<${Orders} rows=${only(orders)} unseen=${atWork - orders.filter(isWorking).length} />`}
      ${tab === "Fills" && html`<${Fills} rows=${only(fills)} />`}
      ${tab === "Positions" && html`<${Positions} rows=${only(positions)} />`}
    </div>
  </section>`;
}

// The first press asks, the second does it: no dialog for what can be asked for again.
function CancelAll({ count }) {
  const [isAsking, setAsking] = useState(false);
  const press = () => {
    if (!isAsking) {
      setAsking(true);
      setTimeout(() => setAsking(false), CONFIRM_MS);
      return;
    }
    setAsking(false);
    give("/cancel-all");
  };
  return html`<button type="button" class=${`link ${isAsking ? "is-asking" : ""}`} disabled=${count === 0} onClick=${press}
    data-test="cancel-all">${isAsking ? `Cancel ${count} ${count === 1 ? "order" : "orders"}?` : "Cancel all working"}</button>`;
}

function Table({ heads, empty, children }) {
  if (children.length === 0) return html`<p class="empty">${empty}</p>`;
  return html`<table><thead><tr>
    ${heads.map(([name, kind = ""]) => html`<th key=${name} class=${kind} scope="col">${name}</th>`)}
  </tr></thead><tbody>${children}</tbody></table>`;
}

function newest(rows, time, most = ROWS_MAX) {
  return rows.slice().sort((a, b) => b[time] - a[time]).slice(0, Math.max(0, most));
}

function digitsOf(symbol) {
  return f.tickDigits(instrumentOf(symbol)?.min_tick);
}

function Side({ side }) {
  return html`<span class=${side === "BUY" ? "gain" : "loss"}>${side === "BUY" ? "Buy" : "Sell"}</span>`;
}

const ORDER_HEADS = [["Time", "time"], ["Strategy"], ["Symbol"], ["Side"], ["Filled", "num"], ["Type", "type"], ["Limit/stop", "num limit"], ["Price", "num"], ["Status", "outcome"], ["", "acts"]];

// Where there is no room for a column of limits, an order without a fill shows its limit as its price, dimmed.
// Working orders stand first and are never cut off by the limit on rows.
function Orders({ rows, unseen }) {
  const working = rows.filter(isWorking);
  const done = newest(rows.filter((row) => !isWorking(row)), "ts_submitted_ns", ROWS_MAX - working.length);
  const shown = [...newest(working, "ts_submitted_ns", working.length), ...done];
  return html`
  ${unseen > 0 && html`<p class="unseen" data-test="unseen">${unseen} more working ${unseen === 1 ? "order is" : "orders are"} too old for this list.</p>`}
  <${Table} heads=${ORDER_HEADS} empty="No orders yet.">
    ${shown.map((row) => html`<${OrderRow} key=${row.cl_ord_id} row=${row} when=${f.whenOf(row.ts_submitted_ns)} digits=${digitsOf(row.symbol)} />`)}
  <//>`;
}

const OrderRow = pure(({ row, when, digits }) => {
  const isFilled = Number(row.cum_qty) > 0;
  const bounds = [["limit", row.limit_px], ["stop", row.stop_px]].filter(([, px]) => px !== null);
  const told = bounds.map(([name, px]) => `${name} ${f.plain(px, digits)}`).join(", ");
  return html`<tr class="order-row" data-order=${row.cl_ord_id} data-status=${row.status} onClick=${() => select(row.strategy, row.symbol)}>
    <td class="time" title=${f.stampOf(row.ts_submitted_ns)}>${when}</td>
    <td class="who">${row.strategy}</td><td class="symbol">${row.symbol}</td><td class="side"><${Side} side=${row.side} /></td>
    <td class="num filled">${f.quantity(row.cum_qty, false)} / ${f.quantity(row.order_qty, false)}</td>
    <td class="type">${row.ord_type}</td><td class="num limit" title=${told}>${f.plain(bounds[0]?.[1], digits)}</td>
    <td class="num price" title=${[isFilled && "average of its fills", told].filter(Boolean).join("; ")}>${isFilled ? f.plain(row.avg_px, digits) : html`<span class="beside">${f.plain(null)}</span><span class="bound">${f.plain(bounds[0]?.[1], digits)}</span>`}</td>
    <td class="outcome"><span class=${`chip ${STATUS_TONES[row.status] || ""}`} title=${row.text}>${STATUS_WORDS[row.status] || f.words(row.status)}</span></td>
    <td class="acts">${isWorking(row) && html`<${CancelButton} id=${row.cl_ord_id} />`}</td>
  </tr>`;
});

function CancelButton({ id }) {
  const [isBusy, setBusy] = useState(false);
  const press = async (event) => {
    event.stopPropagation();
    setBusy(true);
    await give(`/orders/${encodeURIComponent(id)}/cancel`);
    setBusy(false);
  };
  return html`<button type="button" class="icon-button" disabled=${isBusy} onClick=${press} title="Cancel" aria-label=${`Cancel order ${id}`}>
    <${Icon} name="close" size="14" /></button>`;
}

const FILL_HEADS = [["Time", "time"], ["Strategy"], ["Symbol"], ["Side"], ["Quantity", "num"], ["Price", "num"], ["Fee", "num"]];

function Fills({ rows }) {
  return html`<${Table} heads=${FILL_HEADS} empty="No fills yet.">
    ${newest(rows, "ts_ns").map((row) => html`<${FillRow} key=${row.exec_id} row=${row} when=${f.whenOf(row.ts_ns)} digits=${digitsOf(row.symbol)} />`)}
  <//>`;
}

const FillRow = pure(({ row, when, digits }) => html`<tr class="fill-row" onClick=${() => select(row.strategy, row.symbol)}>
  <td class="time" title=${f.stampOf(row.ts_ns)}>${when}</td><td class="who">${row.strategy}</td><td class="symbol">${row.symbol}</td>
  <td class="side"><${Side} side=${row.side} /></td><td class="num filled">${f.quantity(row.last_qty, false)}</td>
  <td class="num price">${f.plain(row.last_px, digits)}</td><td class="num fee">${f.plain(row.fee)}</td>
</tr>`);

const POSITION_HEADS = [["Strategy"], ["Symbol"], ["Position", "num"], ["Average", "num"], ["Mark", "num"], ["Unrealised", "num"], ["Realised", "num"]];

function Positions({ rows }) {
  const shown = rows.slice().sort((a, b) => (a.strategy < b.strategy ? -1 : 1)).slice(0, ROWS_MAX);
  return html`<${Table} heads=${POSITION_HEADS} empty="No open positions.">
    ${shown.map((row) => html`<${PositionRow} key=${`${row.strategy}/${row.instrument_id}`} row=${row} digits=${digitsOf(row.symbol)} />`)}
  <//>`;
}

const PositionRow = pure(({ row, digits }) => html`<tr class="position-row" onClick=${() => select(row.strategy, row.symbol)}>
  <td class="who">${row.strategy}</td><td class="symbol">${row.symbol}</td><td class="num filled">${f.quantity(row.qty)}</td>
  <td class="num price"><span class="on-phone">avg </span>${f.plain(row.avg_px, digits)}</td>
  <td class="num mark" title=${`${row.mark_source} at ${f.stampOf(row.mark_ts_ns)}`}><span class="on-phone">mark </span>${f.plain(row.mark_px, digits)}</td>
  <td class=${`num unreal ${f.tone(row.unrealised_pnl)}`}>${f.signed(row.unrealised_pnl)}</td>
  <td class=${`num realised ${f.tone(row.realised_pnl)}`}>${f.signed(row.realised_pnl)}</td>
</tr>`);
