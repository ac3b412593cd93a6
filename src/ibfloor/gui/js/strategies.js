// The strategies: errors first, one row each, with its own controls.
import * as f from "./format.js";
import { Icon } from "./icons.js";
import { classes, html, pure, useEffect, useRef, useState } from "./lib.js";
import { give } from "./rest.js";
import { instrumentOf, select, useSelection } from "./selection.js";
import { Sparkline } from "./sparkline.js";
import { useTopic } from "./store.js";

const RESORT_MS = 1000;
const ISSUES = new Set(["FAILED", "RESTARTING"]);
const FILTERS = {
  All: () => true,
  Running: (row) => row.state === "RUNNING" || row.state === "STARTING",
  Paused: (row) => row.state === "PAUSED",
  Stopped: (row) => row.state === "STOPPED" || row.state === "STOPPING",
  Issues: (row) => ISSUES.has(row.state),
};
const COLUMNS = [
  ["name", "Strategy", (row) => row.name],
  ["symbol", "Symbol", (row) => row.symbols.join(" ")],
  ["status", "Status", (row) => row.state],
  ["pos", "Pos", (row) => Object.values(row.positions).reduce((sum, qty) => sum + Number(qty), 0)],
  ["last", "Last", (row) => lastOf(row) ?? 0],
  ["unreal", "Unreal.", (row) => Number(row.unrealised_pnl)],
  ["pnl", "Total P&L", (row) => Number(row.pnl)],
];
const TITLES = { pnl: "Since the ledger began: realised and unrealised, less fees" };
const LEFT = new Set(["name", "symbol", "status"]);
const SHAPES = { RUNNING: "dot", PAUSED: "square", FAILED: "diamond", STOPPED: "ring" };

export function Strategies() {
  const rows = [...useTopic("strategies").values()];
  useTopic("instruments");
  const [filter, setFilter] = useState("All");
  const [sort, setSort] = useState({ column: "pnl", down: true });
  const body = useRef(null);
  const order = useStableOrder(rows, sort, body);
  const { strategy } = useSelection();
  const kills = useTopic("kills");
  const shown = order.filter(FILTERS[filter]);
  return html`<section id="strategies" class="panel strategies" aria-label="Strategies">
    <div class="panel-head">
      <h2>Strategies</h2><span class="count">${shown.length} of ${rows.length}</span>
      <span class="space"></span>
      <${Segment} options=${Object.keys(FILTERS)} value=${filter} onChange=${setFilter} label="Show" />
    </div>
    <div class="scroll">
      <table>
        <thead><tr>
          ${COLUMNS.map(([id, label]) => html`<${Heading} key=${id} id=${id} label=${label} sort=${sort} setSort=${setSort} />`)}
          <th class="spark" scope="col" title="P&L of the last minute or so">Recent</th><th class="acts" scope="col"><span class="hidden">Control</span></th>
        </tr></thead>
        <tbody ref=${body}>
          ${shown.map(
            (row) => html`<${StrategyRow} key=${row.name} row=${row} last=${lastOf(row)} digits=${digitsOf(row)}
              isSelected=${row.name === strategy} isHalted=${kills.has("account") || kills.has(`strategy:${row.name}`)} />`,
          )}
        </tbody>
      </table>
      ${shown.length === 0 && html`<p class="empty">${rows.length === 0 ? "No strategy is loaded." : "None here."}</p>`}
    </div>
  </section>`;
}

function lastOf(row) {
  return row.symbols.length === 1 ? (instrumentOf(row.symbols[0])?.last_px ?? null) : null;
}

function digitsOf(row) {
  return row.symbols.length === 1 ? f.tickDigits(instrumentOf(row.symbols[0])?.min_tick) : 2;
}

export function Segment({ options, value, onChange, label }) {
  return html`<div class="segment" role="group" aria-label=${label}>
    ${options.map(
      (option) => html`<button type="button" key=${option} aria-pressed=${option === value}
        class=${option === value ? "is-on" : ""} onClick=${() => onChange(option)}>${option}</button>`,
    )}
  </div>`;
}

function Heading({ id, label, sort, setSort }) {
  const isHere = sort.column === id;
  const flip = () => setSort({ column: id, down: isHere ? !sort.down : !LEFT.has(id) });
  return html`<th class=${id} scope="col" title=${TITLES[id]} aria-sort=${isHere ? (sort.down ? "descending" : "ascending") : "none"}>
    <button type="button" onClick=${flip}>${label}${isHere ? html`<i>${sort.down ? " ↓" : " ↑"}</i>` : null}</button>
  </th>`;
}

// Rows change places once a second at most, and never under the pointer or the keyboard.
function useStableOrder(rows, sort, body) {
  const kept = useRef({ names: [], atMs: -Infinity, sort: null });
  const [, wake] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => wake((count) => count + 1), RESORT_MS);
    return () => clearInterval(timer);
  }, []);
  const isHeld = body.current?.matches(":hover, :focus-within");
  const isDue = performance.now() - kept.current.atMs >= RESORT_MS && !isHeld;
  const isOther = kept.current.sort !== sort || kept.current.names.length !== rows.length;
  if (isDue || isOther) kept.current = { names: sorted(rows, sort).map((row) => row.name), atMs: performance.now(), sort };
  const byName = new Map(rows.map((row) => [row.name, row]));
  return kept.current.names.map((name) => byName.get(name)).filter(Boolean);
}

function sorted(rows, { column, down }) {
  const value = COLUMNS.find(([id]) => id === column)[2];
  const sign = down ? -1 : 1;
  return rows.slice().sort((a, b) => {
    const pinned = (b.state === "FAILED") - (a.state === "FAILED");
    const [x, y] = [value(a), value(b)];
    return pinned || (x < y ? -sign : x > y ? sign : a.name < b.name ? -1 : 1);
  });
}

const StrategyRow = pure(({ row, last, digits, isSelected, isHalted }) => {
  const pnl = row.pnl;
  const isIdle = row.state === "STOPPED" && row.fills === 0;
  return html`<tr class=${classes(isSelected && "is-selected", row.state === "FAILED" && "is-failed")}
    onClick=${() => select(row.name)} data-strategy=${row.name} data-state=${row.state}>
    <td class="name"><button type="button" aria-pressed=${isSelected}>${row.name}</button></td>
    <td class="symbol">${row.symbols.join(" ")}</td>
    <td class="status"><${Status} row=${row} /></td>
    <td class="num pos">${positionsOf(row)}</td>
    <td class="num last">${f.plain(last, digits)}</td>
    <td class=${`num unreal ${f.tone(row.unrealised_pnl)}`} title=${row.not_known || null}>${f.signed(row.unrealised_pnl)}</td>
    <td class=${`num pnl ${f.tone(pnl)}`} title=${row.not_known || null}>${f.signed(pnl)}</td>
    <td class="spark"><${Sparkline} values=${isIdle ? [] : row.spark} /></td>
    <td class="acts"><${Controls} row=${row} isHalted=${isHalted} /></td>
  </tr>`;
});

function positionsOf(row) {
  const held = row.symbols.map((symbol) => Number(row.positions[symbol] || 0));
  if (held.every((qty) => qty === 0)) return html`<span class="zero">0</span>`;
  return held.map((qty) => f.quantity(qty)).join(" / ");
}

function Status({ row }) {
  const shape = SHAPES[row.state] || "half";
  const word = row.state === "FAILED" ? "Error" : f.words(row.state);
  return html`<span class=${`state state-${row.state.toLowerCase()}`} title=${row.reason}>
    <i class=${`shape ${shape}`}></i>${word}
    ${row.restarts > 0 &&
    html`<span class="restarts" title=${`Restarted ${row.restarts} times`}><${Icon} name="restart" size="11" />${row.restarts}</span>`}
  </span>`;
}

function Controls({ row, isHalted }) {
  const path = `/strategies/${encodeURIComponent(row.name)}`;
  const isOff = row.state === "STOPPED" || row.state === "FAILED";
  const isPaused = row.state === "PAUSED";
  return html`
    <${Control} icon="play" verb=${isPaused ? "Resume" : "Start"} name=${row.name} isOn=${(isOff || isPaused) && !isHalted}
      why=${isHalted ? "Trading is halted: reset it first" : ""} path=${`${path}/${isPaused ? "resume" : "start"}`} />
    <${Control} icon="pause" verb="Pause" name=${row.name} isOn=${row.state === "RUNNING"} path=${`${path}/pause`} />
    <${Control} icon="stop" verb="Stop" name=${row.name} isOn=${!isOff && row.state !== "STOPPING"} path=${`${path}/stop`} />
  `;
}

function Control({ icon, verb, name, isOn, path, why = "" }) {
  const [isBusy, setBusy] = useState(false);
  const press = async (event) => {
    event.stopPropagation();
    setBusy(true);
    await give(path);
    setBusy(false);
  };
  return html`<button type="button" class="icon-button" disabled=${!isOn || isBusy} onClick=${press}
    title=${why || verb} aria-label=${`${verb} ${name}`}><${Icon} name=${icon} size="16" /></button>`;
}
