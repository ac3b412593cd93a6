// The kinds of booking: what each asks for, and how its answers become what the floor takes. Amounts stay text: exact.
import * as f from "./format.js";
import { rowsOf } from "./store.js";

const UNASSIGNED = "UNASSIGNED";
const giver = { name: "giver", label: "From", options: () => books() };
const taker = { name: "taker", label: "To", options: () => books() };
const book = { name: "book", label: "Book", options: () => books() };
const instrument = { name: "instrument", label: "Instrument", options: () => instruments() };
const amount = { name: "amount", label: "Amount" };
const currency = { name: "currency", label: "Currency", text: true };
const price = { name: "price", label: "Price", optional: true, hint: "what it cost" };
const reshaped = [
  { name: "new", label: "New" },
  { name: "old", label: "For each old" },
];

export const FORMS = {
  transfer: {
    label: "Assign or transfer a position",
    hint: "Moves what a book holds to another, paid in cash. Without a price lots move at their cost and nobody gains.",
    fields: [giver, taker, { ...instrument, options: (form) => heldBy(form.giver) }, { name: "qty", label: "Quantity", optional: true, hint: "all of it" }, price],
    make: (form) => ({ type: "TransferLot", giver: form.giver, taker: form.taker, instrument_id: Number(form.instrument), qty: form.qty || null, px: form.price || null }),
  },
  cash: {
    label: "Transfer cash",
    hint: "Moves cash from one book to another.",
    fields: [giver, taker, amount, currency],
    make: (form) => ({ type: "TransferCash", giver: form.giver, taker: form.taker, amount: money(form, form.amount) }),
  },
  adjust: {
    label: "Adjust",
    hint: "Puts into a book what the account shows: a signed quantity at a price, signed cash, or both.",
    fields: [book, instrument, { name: "qty", label: "Quantity, signed", optional: true }, { ...price, hint: "" }, { ...amount, label: "Cash, signed", optional: true }, currency],
    make: (form) => ({
      type: "Adjust", strategy: form.book, instrument_id: Number(form.instrument), qty: form.qty || "0", px: form.price || null,
      cash: form.amount ? money(form, form.amount) : null,
    }),
  },
  "cash-in": {
    label: "Deposit, withdrawal, dividend, interest, charge",
    hint: "Cash as it moved the account: negative for what left. Where it is for nobody named, it goes to UNASSIGNED, a dividend to all who hold.",
    fields: [
      { name: "cash", label: "Kind", options: () => CASH.map((kind) => [kind, kind.charAt(0) + kind.slice(1).toLowerCase()]) },
      amount, currency,
      { name: "shares", label: "For", wide: true, text: true, optional: true, hint: "pairs=600, trend=400" },
      { ...instrument, label: "Of", options: () => [["0", "—"], ...instruments()] },
    ],
    make: (form) => ({ type: "BookCash", kind: form.cash, amount: money(form, form.amount), shares: shares(form.shares), instrument_id: Number(form.instrument) }),
  },
  split: {
    label: "Split",
    hint: "Every holder gets so many new for each old, at the same cost.",
    fields: [instrument, ...reshaped, { name: "lieu", label: "Fractions paid at", optional: true, hint: "kept" }],
    make: (form) => ({ type: "SplitPosition", instrument_id: Number(form.instrument), new: Number(form.new), old: Number(form.old), px_in_lieu: form.lieu || null }),
  },
  merger: {
    label: "Merger or renaming",
    hint: "Turns an instrument into another in every book that holds it, at the same cost.",
    fields: [instrument, { ...instrument, name: "into", label: "Into" }, ...reshaped, { name: "amount", label: "Cash for each old", optional: true, hint: "0" },
      { name: "cost", label: "Part of the cost for it", optional: true, hint: "0 to 1" }],
    make: (form) => ({
      type: "MergePosition", instrument_id: Number(form.instrument), into_id: Number(form.into), new: Number(form.new), old: Number(form.old),
      cash_per_share: form.amount || "0", cash_cost_share: form.cost || "0",
    }),
  },
  spinoff: {
    label: "Spin-off",
    hint: "Every holder keeps what it has and gets so many of another for each old; a part of the cost goes along.",
    fields: [instrument, { ...instrument, name: "into", label: "They get" }, ...reshaped, { name: "cost", label: "Part of the cost", hint: "0 to 1" },
      { name: "lieu", label: "Fractions paid at", optional: true, hint: "kept" }],
    make: (form) => ({
      type: "SpinOff", instrument_id: Number(form.instrument), child_id: Number(form.into), new: Number(form.new), old: Number(form.old),
      cost_share: form.cost, px_in_lieu: form.lieu || null,
    }),
  },
  expiry: {
    label: "Expiry",
    hint: "Ends an option or a future in every book that holds it, worthless or at its last settlement price.",
    fields: [instrument, { ...price, hint: "0" }],
    make: (form) => ({ type: "ExpirePosition", instrument_id: Number(form.instrument), px: form.price || "0" }),
  },
  exercise: {
    label: "Exercise or assignment",
    hint: "Turns options into their underlying at the strike. An assignment falls to the short books by what they are short.",
    fields: [instrument, { ...instrument, name: "into", label: "Underlying" }, { name: "qty", label: "Contracts", optional: true, hint: "all of it" },
      { ...book, label: "Whose", options: () => [["", "by holdings"], ...books()] }],
    make: (form) => ({ type: "ExerciseOption", instrument_id: Number(form.instrument), under_id: Number(form.into), contracts: form.qty || null, strategy: form.book || null }),
  },
  undo: {
    label: "Undo",
    hint: "Takes the entry out of the books by another one that reverses it. Both stay in the journal.",
    fields: [{ name: "entry", label: "Entry", text: true, wide: true }],
    make: (form) => ({ type: "UndoEntry", entry_id: form.entry }),
  },
};
const CASH = ["DEPOSIT", "WITHDRAWAL", "DIVIDEND", "INTEREST", "BORROW", "CHARGE"];

export function bookingOf(form) {
  return FORMS[form.kind].make(form);
}

// What a form begins with, from where it was opened.
export function startOf({ kind, row, ...about }) {
  const base = rowsOf("account").values().next().value?.base_currency || "USD";
  const form = { kind: kind || "adjust", giver: UNASSIGNED, book: UNASSIGNED, currency: base, ...about };
  form.instrument = String(about.instrument ?? (row?.key.startsWith("position:") ? row.key.slice(9) : ""));
  form.taker = books().find(([name]) => name !== form.giver)?.[0] || "";
  if (!row) return form;
  const isCash = row.key.startsWith("cash:");
  const gap = f.difference(row.theirs, row.ours, isCash ? f.centsOf(row.key.slice(5)) : 0);
  if (isCash) Object.assign(form, { amount: gap, currency: row.key.slice(5), cash: Number(gap) < 0 ? "WITHDRAWAL" : "DEPOSIT", instrument: "0" });
  else form.qty = gap;
  return form;
}

function books() {
  const names = new Set([UNASSIGNED, ...rowsOf("strategies").keys(), ...rowsOf("books").keys()]);
  return [...names].map((name) => [name, name]);
}

function instruments() {
  const found = new Map();
  for (const row of rowsOf("positions").values()) found.set(String(row.instrument_id), row.symbol);
  for (const [key, row] of rowsOf("breaks")) if (key.startsWith("position:")) found.set(key.slice(9), row.symbol);
  for (const row of rowsOf("instruments").values()) if (!found.has(String(row.instrument_id))) found.set(String(row.instrument_id), row.symbol);
  return [...found].sort((a, b) => (a[1] < b[1] ? -1 : 1));
}

function heldBy(name) {
  const held = [...rowsOf("positions").values()].filter((row) => row.strategy === name && Number(row.qty) !== 0);
  return held.map((row) => [String(row.instrument_id), row.symbol]);
}

function money(form, text) {
  return { amount: String(text).trim(), currency: form.currency.trim().toUpperCase() };
}

function shares(text) {
  return (text || "").split(",").filter((part) => part.trim()).map((part) => {
    const [name, value] = part.split("=");
    return { strategy: name.trim(), amount: (value || "").trim() };
  });
}
