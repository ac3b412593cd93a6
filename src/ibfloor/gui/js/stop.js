// The emergency stop: say how far it reaches, hold to do it, and show what the broker says until no order works.
// Closing positions is a second hold, offered when the orders are gone.
import { isWorking } from "./blotter.js";
import * as f from "./format.js";
import { HoldButton } from "./hold.js";
import { Icon } from "./icons.js";
import { classes, html, useLayoutEffect, useRef, useState } from "./lib.js";
import { command, newKey } from "./rest.js";
import { cell, rowsOf, useCell, useRow, useTopic } from "./store.js";

const isOpen = cell(false);
const SCOPES = [
  ["account", "Whole account", "Stops all strategies and cancels every working order of the account."],
  ["strategy", "One strategy", "Stops it and cancels its orders. The others trade on."],
  ["instrument", "One instrument", "Cancels every order in it and lets none in. Strategies trade on elsewhere."],
];

export function openStop() {
  isOpen.set(true);
}

export function StopDialog() {
  return useCell(isOpen) ? html`<${Dialog} />` : null;
}

export function keyOf({ scope, target }) {
  return scope === "account" ? scope : `${scope}:${target}`;
}

export function nameOf({ scope, target }) {
  return scope === "account" ? "the whole account" : target;
}

function Dialog() {
  const box = useRef(null);
  const [aim, setAim] = useState({ scope: "account", target: "" });
  const [watched, setWatched] = useState(null);
  const [problem, setProblem] = useState("");
  useLayoutEffect(() => {
    box.current.showModal();
  }, []);
  const stop = async () => {
    setProblem("");
    setWatched([...rowsOf("orders").values()].filter((order) => isWorking(order) && reaches(aim, order)).map((order) => order.cl_ord_id));
    try {
      await command("/kill", { reason: "Stop pressed", ...aim }, newKey());
    } catch (error) {
      setProblem(error.message);
      if (!rowsOf("kills").has(keyOf(aim))) setWatched(null); // nothing is halted: choose again
    }
  };
  return html`<dialog ref=${box} class="dialog stop-dialog" onClose=${() => isOpen.set(false)} aria-labelledby="stop-title" data-test="stop-dialog">
    <h2 id="stop-title"><${Icon} name="alert" size="22" />Emergency stop</h2>
    ${watched === null
      ? html`<${Choice} aim=${aim} setAim=${setAim} problem=${problem} onStop=${stop} onBack=${() => box.current.close()} />`
      : html`<${Progress} aim=${aim} watched=${watched} problem=${problem} onClose=${() => box.current.close()} />`}
  </dialog>`;
}

function Choice({ aim, setAim, problem, onStop, onBack }) {
  const floor = useRow("floor", "floor");
  const orders = [...useTopic("orders").values()].filter((order) => isWorking(order) && reaches(aim, order));
  const positions = useHeld(aim);
  const names = useTargets(aim.scope);
  const isWhole = aim.scope === "account";
  const isReady = isWhole || names.includes(aim.target);
  const choose = (scope) => setAim({ scope, target: "" });
  return html`
    <div class="options" role="radiogroup" aria-label="How far it reaches">
      ${SCOPES.map(([scope, title, text]) => html`<${Option} key=${scope} isOn=${aim.scope === scope} onPick=${() => choose(scope)} title=${title} text=${text} name=${scope} />`)}
    </div>
    ${!isWhole && html`<label class="target">${aim.scope === "strategy" ? "Strategy" : "Instrument"}
      <select value=${aim.target} onChange=${(event) => setAim({ ...aim, target: event.target.value })} data-test="stop-target">
        <option value="">Choose…</option>${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select></label>`}
    <p class="counts" data-test="stop-counts">${isWhole && html`${count(floor?.strategies_running, "strategy", "strategies")} running, `}
      ${count(isWhole ? floor?.orders_working : orders.length, "working order", "working orders")}, ${count(positions, "open position", "open positions")}.
      ${" "}Positions are kept; closing them is asked afterwards.</p>
    ${problem && html`<${Problem} text=${problem} />`}
    <div class="dialog-acts">
      <button type="button" onClick=${onBack}>Back</button>
      <${HoldButton} onDone=${onStop} label="Hold to stop trading" isDisabled=${!isReady} />
    </div>`;
}

function Problem({ text }) {
  return html`<p class="problem" role="alert">${text} <br />The command <code>ibfloor kill</code> on the floor's machine works without this page.</p>`;
}

function count(number, one, many) {
  return `${f.plain(number, 0)} ${number === 1 ? one : many}`;
}

function Option({ isOn, onPick, title, text, name }) {
  return html`<label class=${classes("option", isOn && "is-on")} data-test=${`scope-${name}`}>
    <input type="radio" name="stop-scope" checked=${isOn} onChange=${onPick} /><span><b>${title}</b><small>${text}</small></span>
  </label>`;
}

function Progress({ aim, watched, problem, onClose }) {
  const orders = useTopic("orders");
  const kill = useRow("kills", keyOf(aim));
  const positions = useHeld(aim);
  const left = [...orders.values()].filter((order) => isWorking(order) && reaches(aim, order));
  const shown = [...new Set([...watched, ...left.map((order) => order.cl_ord_id)])].map((id) => orders.get(id)).filter(Boolean);
  const isClear = kill?.orders_left === 0 && kill.phase !== "canceling";
  const isOver = isClear && left.length === 0 && kill.phase !== "closing";
  return html`
    <p class="progress-words" aria-live="polite" data-test="stop-progress">${words(aim, kill, left.length, positions)}</p>
    <ul class="progress">
      ${shown.map((order) => html`<li key=${order.cl_ord_id} class=${isWorking(order) ? "is-waiting" : "is-done"} data-order=${order.cl_ord_id}>
        <${Icon} name=${isWorking(order) ? "restart" : "check"} size="14" />
        <span>${order.strategy}</span><span>${order.side === "BUY" ? "Buy" : "Sell"} ${f.quantity(order.order_qty, false)} ${order.symbol}</span>
        <b>${f.words(order.status)}</b></li>`)}
    </ul>
    ${problem && !isOver && html`<${Problem} text=${problem} />`}
    ${isOver && positions > 0 && html`<${Closing} aim=${aim} positions=${positions} />`}
    <div class="dialog-acts"><button type="button" class=${isOver ? "primary" : ""} onClick=${onClose} data-test="stop-close">${isOver ? "Done" : "Close, and keep cancelling"}</button></div>`;
}

function words(aim, kill, working, positions) {
  if (!kill) return "Telling the floor to halt…";
  const halted = aim.scope === "account" ? "Trading is halted." : `${aim.target} is halted.`;
  if (kill.phase === "closing") return `${halted} Closing ${count(positions, "position", "positions")} within a bound of the market…`;
  if (kill.phase === "not flat") return `${halted} ${kill.text}`;
  if (kill.phase === "flat") return `${halted} No working order remains, no position is open.`;
  if (kill.orders_left < 0) return `${halted} Asking the broker what still works… ${kill.text}`;
  if (kill.orders_left > 0) return `${halted} The broker still lists ${count(kill.orders_left, "working order", "working orders")}: cancelling again.`;
  if (working > 0 || kill.phase === "canceling") return `${halted} The broker lists no order: the books follow.`;
  return `${halted} No working order remains, by the broker's own list.`;
}

function Closing({ aim, positions }) {
  const [said, setSaid] = useState("");
  const close = async () => {
    setSaid("");
    try {
      await command("/kill/flatten", aim, newKey());
    } catch (error) {
      setSaid(error.message);
    }
  };
  return html`<div class="closing" data-test="stop-closing">
    <p>${count(positions, "position is", "positions are")} still open. Closing sends limit orders near the market that can only reduce.</p>
    ${said && html`<p class="problem" role="alert">${said}</p>`}
    <div class="dialog-acts"><${HoldButton} onDone=${close} label="Hold to close positions" /></div>
  </div>`;
}

function reaches(aim, row) {
  if (aim.scope === "account") return true;
  return aim.scope === "strategy" ? row.strategy === aim.target : row.symbol === aim.target;
}

function useHeld(aim) {
  return [...useTopic("positions").values()].filter((row) => Number(row.qty) !== 0 && reaches(aim, row)).length;
}

function useTargets(scope) {
  const strategies = useTopic("strategies");
  const instruments = useTopic("instruments");
  const positions = useTopic("positions");
  if (scope === "strategy") return [...strategies.keys()].sort();
  return [...new Set([...instruments.values(), ...positions.values()].map((row) => row.symbol))].sort();
}
