// The books: where they differ from the account and why, what each of them holds, what was booked by hand.
import { BookingDialog, openBooking, openProposal } from "./booking.js";
import * as f from "./format.js";
import { Icon } from "./icons.js";
import { classes, html, pure } from "./lib.js";
import { useRow, useTopic } from "./store.js";

export function Books() {
  return html`
    <${Breaks} />
    <div class="books-columns">
      <${Holdings} />
      <div class="column"><${Entries} /><${Rates} /></div>
    </div>
    <${BookingDialog} />
  `;
}

function Breaks() {
  const rows = [...useTopic("breaks").values()];
  const account = useRow("account");
  const when = account && account.ts_reconciled_ns > 0 ? `compared ${f.whenOf(account.ts_reconciled_ns)}` : "not compared yet";
  return html`<section class="panel breaks" aria-label="Breaks" data-test="breaks">
    <div class="panel-head"><h2>Books and account</h2><span class="count">${when}</span><span class="space"></span>
      ${rows.length > 0 && html`<span class="chip loss">${rows.length} ${rows.length === 1 ? "break" : "breaks"}</span>`}
    </div>
    ${rows.length === 0 &&
    html`<p class="agree"><${Icon} name="check" size="16" />Every position and every currency of the account is in the books, to the cent.</p>`}
    ${rows.length > 0 && html`<ul class="break-list scroll">${rows.map((row) => html`<${Break} key=${row.key} row=${row} />`)}</ul>`}
  </section>`;
}

const Break = pure(({ row }) => {
  const gap = Number(row.theirs) - Number(row.ours);
  const isCash = row.key.startsWith("cash:");
  return html`<li class="break" data-break=${row.key}>
    <div class="break-what"><b>${row.symbol || row.key}</b><span class=${classes("chip", row.cause === "UNKNOWN" ? "warn" : "accent")}>${f.words(row.cause)}</span>
      <small>since ${f.whenOf(row.ts_ns)}</small></div>
    <dl>
      <div><dt>Books</dt><dd>${isCash ? f.plain(row.ours) : f.quantity(row.ours, false)}</dd></div>
      <div><dt>Account</dt><dd>${isCash ? f.plain(row.theirs) : f.quantity(row.theirs, false)}</dd></div>
      <div><dt>Difference</dt><dd class=${f.tone(gap)}>${isCash ? f.signed(gap) : f.quantity(gap)}</dd></div>
    </dl>
    <p class="break-why">${row.why || "Nothing known explains it: look at the broker's statement."} ${isCash ? "" : "Entries are locked, exits pass."}</p>
    <div class="break-acts">
      ${row.proposal && html`<button type="button" class="primary" onClick=${() => openProposal(row)}>Resolve…</button>`}
      <button type="button" class="quiet" onClick=${() => openBooking({ kind: isCash ? "cash-in" : "adjust", row })}>${row.proposal ? "Otherwise…" : "Resolve…"}</button>
    </div>
  </li>`;
});

function Holdings() {
  const books = [...useTopic("books").values()].sort(byBook);
  const positions = [...useTopic("positions").values()];
  const shown = books.filter((book) => Object.keys(book.cash).length > 0 || positions.some((each) => each.strategy === book.strategy));
  return html`<section class="panel holdings" aria-label="Books">
    <div class="panel-head"><h2>Books</h2><span class="count">${shown.length} with something in them</span><span class="space"></span>
      <button type="button" class="quiet" onClick=${() => openBooking({ kind: "transfer" })} data-test="book-new">Book…</button></div>
    <div class="scroll"><table>
      <thead><tr><th scope="col">Book</th><th scope="col">Holds</th><th class="num" scope="col">Quantity</th><th class="num avg" scope="col">Average</th>
        <th class="num mark" scope="col">Mark</th><th class="num" scope="col">Unreal.</th><th class="acts" scope="col"><span class="hidden">Move</span></th></tr></thead>
      ${shown.map((book) => html`<${BookRows} key=${book.strategy} book=${book} positions=${positions.filter((each) => each.strategy === book.strategy)} />`)}
    </table>${shown.length === 0 && html`<p class="empty">Nothing is held.</p>`}</div>
  </section>`;
}

// What no strategy owns comes first: it waits for somebody.
function byBook(a, b) {
  return (b.strategy === "UNASSIGNED") - (a.strategy === "UNASSIGNED") || (a.strategy < b.strategy ? -1 : 1);
}

function BookRows({ book, positions }) {
  const cash = Object.entries(book.cash);
  const lines = [
    ...positions.map((row) => html`<${Holding} key=${row.instrument_id} row=${row} />`),
    ...cash.map(
      ([currency, amount]) => html`<tr key=${currency} class="cash-row"><td></td><td class="symbol">${currency}</td>
        <td class="num">${f.plain(amount)}</td><td class="avg"></td><td class="mark"></td><td></td>
        <td class="acts"><${Move} label=${`Move ${currency} of ${book.strategy}`} onClick=${() => openBooking({ kind: "cash", giver: book.strategy, currency })} /></td></tr>`,
    ),
  ];
  return html`<tbody data-book=${book.strategy}>
    <tr class="book-row"><td colspan="2"><b>${book.strategy}</b></td><td class="num" title=${book.not_known || "What the book is worth now"}>${f.plain(book.equity)}</td><td class="avg"></td><td class="mark"></td>
      <td class=${`num ${f.tone(book.unrealised_pnl)}`}>${f.signed(book.unrealised_pnl)}</td><td></td></tr>
    ${lines}
  </tbody>`;
}

const Holding = pure(({ row }) => {
  const open = () => openBooking({ kind: "transfer", giver: row.strategy, instrument: row.instrument_id });
  return html`<tr class="holding-row"><td></td><td class="symbol">${row.symbol}</td><td class="num">${f.quantity(row.qty)}</td>
    <td class="num avg">${f.plain(row.avg_px, 4)}</td><td class="num mark">${f.plain(row.mark_px, 4)}</td>
    <td class=${`num ${f.tone(row.unrealised_pnl)}`}>${f.signed(row.unrealised_pnl)}</td>
    <td class="acts"><${Move} label=${`Move ${row.symbol} of ${row.strategy}`} onClick=${open} /></td></tr>`;
});

function Move({ label, onClick }) {
  return html`<button type="button" class="icon-button" title=${label} aria-label=${label} onClick=${onClick}><${Icon} name="move" size="16" /></button>`;
}

function Entries() {
  const rows = [...useTopic("entries").values()].reverse();
  return html`<section class="panel entries" aria-label="Booked by hand">
    <div class="panel-head"><h2>Booked without a trade</h2><span class="count">${rows.length || ""}</span></div>
    ${rows.length > 0 && html`<ul class="scroll entry-list">${rows.map((row) => html`<${Entry} key=${row.entry_id} row=${row} />`)}</ul>`}
    ${rows.length === 0 && html`<p class="empty">Nothing yet. Transfers, deposits, splits and the like are listed here.</p>`}
  </section>`;
}

const Entry = pure(({ row }) => {
  const isOver = Boolean(row.reversed_by || row.reverses);
  const undo = () => openBooking({ kind: "undo", entry: row.entry_id });
  return html`<li class=${classes("entry", row.reversed_by && "is-undone")} data-entry=${row.entry_id}>
    <div><span class="chip">${row.reverses ? "Undo" : f.words(row.kind)}</span><b>${row.reason}</b><time>${f.whenOf(row.ts_ns)}</time></div>
    <p>${row.text}</p>
    <small>${row.actor} · ${row.entry_id}${row.reversed_by ? " · undone" : row.reverses ? ` · takes back ${row.reverses}` : ""}</small>
    ${!isOver && html`<button type="button" class="link" onClick=${undo}>Undo…</button>`}
  </li>`;
});

function Rates() {
  const rows = [...useTopic("rates").values()];
  if (rows.length === 0) return null;
  return html`<section class="panel rates" aria-label="Exchange rates">
    <div class="panel-head"><h2>Exchange rates</h2><span class="count">in ${rows[0].base}</span></div>
    <table><tbody>${rows.map(
      (row) => html`<tr key=${row.currency} class=${row.problem ? "is-failed" : ""} title=${row.problem} data-rate=${row.currency}>
        <td class="symbol">${row.currency}</td><td class="num">${f.plain(row.rate, 6)}</td><td>${row.source}</td>
        <td class="time">${row.problem ? html`<span class="loss">${row.rate === null ? "not known" : "too old"}</span>` : f.whenOf(row.ts_ns)}</td></tr>`,
    )}</tbody></table>
  </section>`;
}
