// One booking: what it is to be, what it would do, and then a yes. A preview is confirmed once, however often it is pressed.
import { FORMS, bookingOf, startOf } from "./bookings.js";
import * as f from "./format.js";
import { Icon } from "./icons.js";
import { html, useLayoutEffect, useRef, useState } from "./lib.js";
import { command, newKey, notify } from "./rest.js";
import { cell, useCell } from "./store.js";

const asked = cell(null);

// Ask for a booking by hand: { kind, giver, instrument, currency, entry, row: the break it is for }.
export function openBooking(about) {
  asked.set({ about, proposal: null });
}

// Take what a break's cause suggests.
export function openProposal(row) {
  asked.set({ about: { kind: "", row }, proposal: row.proposal });
}

export function BookingDialog() {
  const now = useCell(asked);
  return now ? html`<${Dialog} key=${now} now=${now} />` : null;
}

function Dialog({ now }) {
  const box = useRef(null);
  const [form, setForm] = useState(() => startOf(now.about));
  const [reason, setReason] = useState("");
  const [shown, setShown] = useState(null);
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const key = useRef("");
  const breakKey = now.about.row?.key || "";
  useLayoutEffect(() => box.current.showModal(), []);  // at once: a key pressed meanwhile would reach the page behind
  const attempt = async (work) => {
    if (isBusy) return;
    setBusy(true);
    setProblem("");
    try {
      await work();
    } catch (error) {
      setProblem(error.message);
    }
    setBusy(false);
  };
  const preview = (event) => {
    event.preventDefault();
    attempt(async () => {
      const booking = now.proposal || bookingOf(form);
      const { preview: made } = await command("/bookings/preview", { booking, reason, break_key: breakKey });
      key.current = newKey();
      setShown(made);
    });
  };
  const confirm = () =>
    attempt(async () => {
      const { text } = await command(`/bookings/${shown.preview_id}/confirm`, undefined, key.current);
      notify(text);
      box.current.close();
    });
  const back = () => (shown ? (setShown(null), setProblem("")) : box.current.close());
  return html`<dialog ref=${box} class="dialog booking-dialog" onClose=${() => asked.set(null)} aria-labelledby="booking-title" data-test="booking">
    <h2 id="booking-title">${titleOf(now, form)}</h2>
    <form onSubmit=${preview}>
      ${shown
        ? html`<${Preview} shown=${shown} />`
        : html`${now.proposal ? html`<p>${now.about.row.why}</p>` : html`<${Fields} form=${form} setForm=${setForm} isFixed=${form.kind === "undo"} />`}
            <label>Reason<input required maxlength="200" value=${reason} data-test="booking-reason" placeholder="It stands in the journal for good"
              onInput=${(event) => setReason(event.target.value)} /></label>`}
      ${problem && html`<p class="problem" role="alert" data-test="booking-problem">${problem}</p>`}
      <div class="dialog-acts">
        <button type="button" onClick=${back}>${shown ? "Back" : "Cancel"}</button>
        ${shown
          ? html`<button type="button" class="primary" disabled=${isBusy} onClick=${confirm} data-test="booking-confirm">Book it</button>`
          : html`<button type="submit" class="primary" disabled=${isBusy || !reason.trim()} data-test="booking-preview">Preview</button>`}
      </div>
    </form>
  </dialog>`;
}

function titleOf(now, form) {
  const row = now.about.row;
  if (form.kind === "undo") return "Undo an entry";
  return row ? `Resolve: ${row.symbol || row.key}${now.proposal ? `, ${f.words(row.cause).toLowerCase()}` : ""}` : "Book by hand";
}

function Fields({ form, setForm, isFixed }) {
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const shape = FORMS[form.kind];
  return html`
    ${!isFixed &&
    html`<label>What<select value=${form.kind} onChange=${set("kind")} data-test="booking-kind">
      ${Object.entries(FORMS).filter(([kind]) => kind !== "undo").map(([kind, each]) => html`<option key=${kind} value=${kind}>${each.label}</option>`)}
    </select></label>`}
    <p class="hint">${shape.hint}</p>
    <div class="fields">
      ${shape.fields.map((field) => {
        const options = field.options?.(form);
        const isWrong = options && !options.some(([value]) => value === form[field.name]);
        if (isWrong) form[field.name] = options[0]?.[0] ?? "";
        return html`<label key=${field.name} class=${field.wide ? "wide" : ""}>${field.label}
          ${options
            ? html`<select value=${form[field.name]} onChange=${set(field.name)} data-test=${`field-${field.name}`}>
                ${options.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select>`
            : html`<input value=${form[field.name] || ""} required=${!field.optional} inputmode=${field.text ? "text" : "decimal"} placeholder=${field.hint || ""}
                readonly=${isFixed} onInput=${set(field.name)} data-test=${`field-${field.name}`} />`}</label>`;
      })}
    </div>`;
}

function amountOf(line, value) {
  return line.is_cash ? f.plain(value) : f.quantity(value, false);
}

function Preview({ shown }) {
  return html`
    <p><span class="chip accent">${f.words(shown.entry.kind)}</span> Nothing is booked yet. These books would change:</p>
    <div class="scroll preview" data-test="booking-shown"><table>
      <thead><tr><th scope="col">Book</th><th scope="col">What</th><th class="num" scope="col">Before</th><th class="num" scope="col">After</th></tr></thead>
      <tbody>${shown.lines.map(
        (line) => html`<tr key=${line.strategy + line.what}><td>${line.strategy}</td><td class="symbol">${line.what}</td>
          <td class="num zero">${amountOf(line, line.before)}</td><td class="num"><b>${amountOf(line, line.after)}</b></td></tr>`,
      )}</tbody></table></div>
    ${shown.breaks.map((left) => {
      const isOver = Number(left.after) === 0;
      return html`<p key=${left.key} class=${isOver ? "gain" : "warn"}><${Icon} name=${isOver ? "check" : "alert"} size="14" /> Break ${left.key}:
        ${isOver ? " nothing would remain" : Number(left.before) === 0
          ? ` would open: account less books would be ${f.quantity(left.after)}`
          : ` ${f.quantity(left.after)} of ${f.quantity(left.before)} would remain`}</p>`;
    })}`;
}
