// The emergency stop: say what it will do, hold to do it, and show every order until none is working.
import { isWorking } from "./blotter.js";
import * as f from "./format.js";
import { HoldButton } from "./hold.js";
import { Icon } from "./icons.js";
import { classes, html, useEffect, useRef, useState } from "./lib.js";
import { command, newKey } from "./rest.js";
import { cell, rowsOf, useCell, useRow, useTopic } from "./store.js";

const isOpen = cell(false);

export function openStop() {
  isOpen.set(true);
}

export function StopDialog() {
  return useCell(isOpen) ? html`<${Dialog} />` : null;
}

function Dialog() {
  const box = useRef(null);
  const [flatten, setFlatten] = useState(false);
  const [watched, setWatched] = useState(null);
  const [problem, setProblem] = useState("");
  const [key] = useState(newKey);
  useEffect(() => {
    box.current.showModal();
  }, []);
  const stop = async () => {
    setProblem("");
    setWatched([...rowsOf("orders").values()].filter(isWorking).map((order) => order.cl_ord_id));
    try {
      await command("/kill", { reason: flatten ? "Stop and flatten pressed" : "Stop pressed", flatten }, key + Number(flatten));
    } catch (error) {
      setWatched(null);
      setProblem(error.message);
    }
  };
  return html`<dialog ref=${box} class="dialog stop-dialog" onClose=${() => isOpen.set(false)} aria-labelledby="stop-title" data-test="stop-dialog">
    <h2 id="stop-title"><${Icon} name="alert" size="22" />Emergency stop</h2>
    ${watched === null
      ? html`<${Choice} flatten=${flatten} setFlatten=${setFlatten} problem=${problem} onStop=${stop} onBack=${() => box.current.close()} />`
      : html`<${Progress} watched=${watched} flatten=${flatten} onClose=${() => box.current.close()} />`}
  </dialog>`;
}

function Choice({ flatten, setFlatten, problem, onStop, onBack }) {
  const floor = useRow("floor", "floor");
  const positions = [...useTopic("positions").values()].filter((row) => Number(row.qty) !== 0).length;
  return html`
    <p data-test="stop-counts">${count(floor?.strategies_running, "strategy", "strategies")} running,
      ${" "}${count(floor?.orders_working, "working order", "working orders")}, ${count(positions, "open position", "open positions")}.
      This affects the whole account.</p>
    <div class="options" role="radiogroup" aria-label="What to do">
      <${Option} isOn=${!flatten} onPick=${() => setFlatten(false)} title="Halt and cancel"
        text="Stop all strategies, cancel working orders, keep positions." />
      <${Option} isOn=${flatten} onPick=${() => setFlatten(true)} title="Halt, cancel and flatten"
        text="As above, then close every position with market orders." />
    </div>
    ${problem && html`<p class="problem" role="alert">${problem} <br />The command <code>ibfloor kill</code> on the floor's machine works without this page.</p>`}
    <div class="dialog-acts">
      <button type="button" onClick=${onBack}>Back</button>
      <${HoldButton} onDone=${onStop} label="Hold to stop trading" />
    </div>`;
}

function count(number, one, many) {
  return `${f.plain(number, 0)} ${number === 1 ? one : many}`;
}

function Option({ isOn, onPick, title, text }) {
  return html`<label class=${classes("option", isOn && "is-on")}>
    <input type="radio" name="stop-kind" checked=${isOn} onChange=${onPick} /><span><b>${title}</b><small>${text}</small></span>
  </label>`;
}

function Progress({ watched, flatten, onClose }) {
  const orders = useTopic("orders");
  const floor = useRow("floor", "floor");
  const positions = [...useTopic("positions").values()].filter((row) => Number(row.qty) !== 0).length;
  const left = [...orders.values()].filter(isWorking);
  const shown = [...new Set([...watched, ...left.map((order) => order.cl_ord_id)])].map((id) => orders.get(id)).filter(Boolean);
  const working = Math.max(floor?.orders_working ?? 1, left.length); // the floor counts also what this page does not hold
  const isOver = floor?.kill_latched && working === 0 && (!flatten || positions === 0);
  return html`
    <p class="progress-words" aria-live="polite" data-test="stop-progress">${
      isOver
        ? `Trading is halted. No working order remains${flatten ? ", no position is open" : ""}.`
        : !floor?.kill_latched
          ? "Telling the floor to halt…"
          : working > 0
            ? `Halted. ${count(working, "order is", "orders are")} still working: waiting for the broker.`
            : `No working order remains. ${count(positions, "position", "positions")} still to close.`
    }</p>
    <ul class="progress">
      ${shown.map((order) => html`<li key=${order.cl_ord_id} class=${isWorking(order) ? "is-waiting" : "is-done"} data-order=${order.cl_ord_id}>
        <${Icon} name=${isWorking(order) ? "restart" : "check"} size="14" />
        <span>${order.strategy}</span><span>${order.side === "BUY" ? "Buy" : "Sell"} ${f.quantity(order.order_qty, false)} ${order.symbol}</span>
        <b>${f.words(order.status)}</b></li>`)}
    </ul>
    <div class="dialog-acts"><button type="button" class=${isOver ? "primary" : ""} onClick=${onClose} data-test="stop-close">${isOver ? "Done" : "Close, and keep cancelling"}</button></div>`;
}
