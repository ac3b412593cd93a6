// One instrument's minutes as the floor tells them, folded into the bar the chart shows. Pure but for the asking.
import { ask } from "./rest.js";

export const SIZES = { "1m": 60, "5m": 300, "15m": 900 };
const MINUTES_MAX = 1170;
const TAIL = 3;
const WORDS_MAX = 12;
const NS_PER_S = 1e9;

export class Minutes {
  constructor(instrumentId) {
    this.instrumentId = instrumentId;
    this.bars = [];
  }

  async load() {
    this.bars = await fetchBars(this.instrumentId, MINUTES_MAX);
  }

  // A new minute may have come before we heard the last word of the one before it.
  async mend() {
    for (const bar of await fetchBars(this.instrumentId, TAIL)) this.put(bar);
  }

  // Take the newest bar; true when it began a new minute after one we had not seen closed.
  take(row) {
    const bar = toBar(row);
    const last = this.bars[this.bars.length - 1];
    const isNew = last !== undefined && bar.time > last.time;
    const isUnsure = isNew && !last.isClosed;
    this.put(bar);
    return isUnsure;
  }

  put(bar) {
    const at = this.bars.findLastIndex((other) => other.time <= bar.time);
    if (at >= 0 && this.bars[at].time === bar.time) this.bars[at] = bar;
    else this.bars.splice(at + 1, 0, bar);
  }

  folded(seconds) {
    const out = [];
    for (const bar of this.bars) {
      const time = bar.time - (bar.time % seconds);
      const last = out[out.length - 1];
      if (last && last.time === time) {
        last.high = Math.max(last.high, bar.high);
        last.low = Math.min(last.low, bar.low);
        last.close = bar.close;
        last.volume += bar.volume;
      } else {
        out.push({ ...bar, time });
      }
    }
    return out;
  }
}

async function fetchBars(instrumentId, limit) {
  const { bars } = await ask(`/bars?instrument_id=${instrumentId}&bar=1m&limit=${limit}`);
  return bars.map(toBar).filter((bar) => Number.isFinite(bar.close));
}

function toBar([startNs, open, high, low, close, volume, isClosed]) {
  return { time: Math.round(startNs / NS_PER_S), open, high, low, close, volume, isClosed };
}

// The newest minute of an instrument among the floor's rows.
export function newestMinute(rows, instrumentId) {
  return rows.get(`${instrumentId}/1 min`) || rows.get(`${instrumentId}/1m`);
}

// Fills of one side in one bar are one arrow; where there are many, their quantities would only hide the candles.
export function markersOf(fills, seconds, colours) {
  const sums = new Map();
  for (const fill of fills) {
    const second = Math.floor(fill.ts_ns / NS_PER_S);
    const time = second - (second % seconds);
    const key = `${time}${fill.side}`;
    sums.set(key, { time, side: fill.side, qty: (sums.get(key)?.qty || 0) + Number(fill.last_qty) });
  }
  const found = [...sums.values()].sort((a, b) => a.time - b.time);
  const isCrowded = found.length > WORDS_MAX;
  return found.map(({ time, side, qty }) => toMarker(time, side, isCrowded ? null : qty, colours));
}

function toMarker(time, side, qty, colours) {
  const isBuy = side === "BUY";
  return {
    time,
    position: isBuy ? "belowBar" : "aboveBar",
    shape: isBuy ? "arrowUp" : "arrowDown",
    color: isBuy ? colours.gain : colours.loss,
    text: qty === null ? "" : `${isBuy ? "+" : "\u2212"}${qty}`,
  };
}
