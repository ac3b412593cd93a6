// Numbers and times as people of the trade write them: U+2212, thousands separators, a dash for what is missing.
export const MINUS = "\u2212";
export const DASH = "—";

const fixed = new Map();

function formatter(digits) {
  if (!fixed.has(digits)) {
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    fixed.set(digits, new Intl.NumberFormat("en-US", options));
  }
  return fixed.get(digits);
}

export function isMissing(value) {
  return value === null || value === undefined || value === "" || Number.isNaN(Number(value));
}

export function plain(value, digits = 2) {
  if (isMissing(value)) return DASH;
  const text = formatter(digits).format(Math.abs(value));
  return Number(value) < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

export function signed(value, digits = 2) {
  if (isMissing(value)) return DASH;
  const text = formatter(digits).format(Math.abs(value));
  if (!/[1-9]/.test(text)) return text; // what rounds to nothing has no sign
  return (Number(value) < 0 ? MINUS : "+") + text;
}

export function percent(value, digits = 2) {
  return isMissing(value) ? DASH : `${signed(value, digits)}%`;
}

// The day's result in per cent of what the account is worth without it. What was paid in is no result.
export function dayPercent(account) {
  if (!account || isMissing(account.day_pnl) || isMissing(account.net_liquidation)) return null;
  const start = Number(account.net_liquidation) - Number(account.day_pnl);
  return start > 0 ? (Number(account.day_pnl) / start) * 100 : null;
}

export function quantity(value, sign = true) {
  if (isMissing(value)) return DASH;
  const digits = Math.min(8, (String(Number(value)).split(".")[1] || "").length);
  return sign ? signed(value, digits) : plain(value, digits);
}

// What two exact texts differ by, as a text: as many decimals as count in them, though not fewer than ``digits``.
export function difference(a, b, digits = 0) {
  const counted = [a, b].map((text) => (String(text).split(".")[1] || "").replace(/0+$/, "").length);
  return (Number(a) - Number(b)).toFixed(Math.max(digits, ...counted));
}

// How many decimals a currency is written with.
export function centsOf(currency) {
  try {
    return new Intl.NumberFormat("en-US", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
  } catch {
    return 2; // no currency that this browser knows
  }
}

// The class of an amount: its colour goes with its sign, zero is grey.
export function tone(value) {
  if (isMissing(value)) return "none";
  const cents = Math.round(Number(value) * 100);
  return cents > 0 ? "gain" : cents < 0 ? "loss" : "zero";
}

export function tickDigits(minTick) {
  if (isMissing(minTick) || Number(minTick) <= 0) return 2;
  const text = Number(minTick).toFixed(8).replace(/0+$/, "");
  return Math.max(2, text.length - text.indexOf(".") - 1);
}

export function words(name) {
  const text = String(name).replace(/[_-]+/g, " ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const NS_PER_MS = 1e6;
const clocks = new Map();

function clock(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!clocks.has(key)) {
    clocks.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options }));
  }
  return clocks.get(key);
}

let zone = "America/New_York";
let todayNs = 0;

export function exchangeZone() {
  return zone;
}

export function setExchangeTime(name, ns) {
  todayNs = ns;
  try {
    clock(name, {});
    zone = name;
  } catch {
    zone = "UTC"; // a zone this browser does not know
  }
}

const DATE = { day: "2-digit", month: "short", year: "numeric" };

export function timeOf(ns) {
  if (isMissing(ns) || Number(ns) <= 0) return DASH;
  return clock(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ns / NS_PER_MS);
}

// A time of today, or else its date with it; of another year, the year.
export function whenOf(ns) {
  if (isMissing(ns) || Number(ns) <= 0) return DASH;
  const [date, today] = [ns, todayNs].map((each) => clock(zone, DATE).format(each / NS_PER_MS));
  if (date === today) return timeOf(ns);
  return date.slice(-4) === today.slice(-4) ? `${date.slice(0, -5)} ${timeOf(ns)}` : date;
}

export function stampOf(ns) {
  return isMissing(ns) || Number(ns) <= 0 ? "" : `${clock(zone, DATE).format(ns / NS_PER_MS)} ${timeOf(ns)} ${zoneWord()}`;
}

export function hourOf(seconds) {
  return clock(zone, { hour: "2-digit", minute: "2-digit" }).format(seconds * 1000);
}

export function dayOf(seconds) {
  return clock(zone, { day: "2-digit", month: "short" }).format(seconds * 1000);
}

const ZONE_WORDS = { "America/New_York": "ET", "US/Eastern": "ET", "America/Chicago": "CT", UTC: "UTC" };

export function zoneWord() {
  if (ZONE_WORDS[zone]) return ZONE_WORDS[zone];
  const parts = clock(zone, { timeZoneName: "short" }).formatToParts(Date.now());
  return parts.find((part) => part.type === "timeZoneName").value;
}

// Digits after the point that tell steps of this size apart.
export function stepDigits(step) {
  return step > 0 ? Math.min(8, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))) : 0;
}

// An amount in thousands or millions; ``top`` is the largest beside it, so that an axis has one unit.
export function compact(value, step = 1000, top = value) {
  const size = Math.abs(top);
  const [unit, word] = size >= 1e6 ? [1e6, "M"] : size >= 1e4 ? [1e3, "k"] : [1, ""];
  return plain(value / unit, stepDigits(step / unit)) + word;
}
