// The account's curves: equity, drawdown, exposure.
import * as f from "./format.js";
import { html, useEffect, useRef } from "./lib.js";
import { listen, rowsOf, useCell, useRow, useTopic } from "./store.js";
import { colour, themeName } from "./themes.js";
import uPlot from "../vendor/uplot.mjs";

const REDRAW_MS = 1000;

export function Curves() {
  const points = [...useTopic("equity").values()];
  const last = points[points.length - 1];
  const dayPct = f.dayPercent(useRow("account")); // from the curve's first point a deposit would count as a gain
  const drawdown = last ? -Math.abs(last[2]) : null;
  const share = (value) => (last && last[1] > 0 ? f.plain((value / last[1]) * 100, 0) : f.DASH);
  return html`<section class="curves" aria-label="Curves of the account">
    <${Curve} title="Equity" value=${f.percent(dayPct)} tone=${f.tone(dayPct)} kind="equity"
      hint="The day's result in per cent; what was paid in or out is none" />
    <${Curve} title="Drawdown" value=${f.percent(drawdown)} tone=${f.tone(drawdown)} kind="drawdown" />
    <${Curve} title="Exposure G / N" value=${last ? `${share(last[3])} / ${share(last[4])}%` : f.DASH} tone="" kind="exposure" />
  </section>`;
}

function Curve({ title, value, tone, kind, hint = "" }) {
  const box = useRef(null);
  const theme = useCell(themeName);
  useEffect(() => keepDrawn(box.current, kind), [kind, theme]);
  return html`<div class=${`panel curve curve-${kind}`}>
    <div class="curve-head" title=${hint}><span>${title}</span><b class=${tone}>${value}</b></div>
    <div class="plot" ref=${box}></div>
  </div>`;
}

// One plot that follows its topic once a second and its box in size; returns how to end it.
function keepDrawn(box, kind) {
  const plot = new uPlot(optionsOf(kind, box), dataOf(kind), box);
  let drawnMs = 0;
  const follow = () => {
    if (performance.now() - drawnMs < REDRAW_MS) return;
    drawnMs = performance.now();
    plot.setData(dataOf(kind));
  };
  const resize = new ResizeObserver(() => plot.setSize(sizeOf(box)));
  resize.observe(box);
  const stop = listen("equity", follow);
  return () => {
    stop();
    resize.disconnect();
    plot.destroy();
  };
}

function sizeOf(box) {
  return { width: Math.max(60, box.clientWidth), height: Math.max(40, box.clientHeight) };
}

function dataOf(kind) {
  const points = [...rowsOf("equity").values()];
  const times = points.map(([ns]) => ns / 1e9);
  if (kind === "equity") return [times, points.map(([, equity]) => equity)];
  if (kind === "drawdown") return [times, points.map(([, , drawdown]) => -Math.abs(drawdown))];
  const share = (index) => points.map((point) => (point[1] > 0 ? (point[index] / point[1]) * 100 : null));
  return [times, share(3), share(4)];
}

const FORMATS = {
  equity: f.compact,
  drawdown: (value, step) => f.percent(value, f.stepDigits(step)),
  exposure: (value, step) => `${f.plain(value, f.stepDigits(step))}%`,
};

function optionsOf(kind, box) {
  const main = { equity: "accent", drawdown: "loss", exposure: "accent" }[kind];
  const series = [{}, { stroke: colour(main), width: 1.4, fill: (plot) => fade(plot, colour(main)), points: { show: false } }];
  if (kind === "exposure") series.push({ stroke: colour("warn"), width: 1.2, points: { show: false } });
  return {
    ...sizeOf(box),
    padding: [6, 4, 0, 10],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true }, y: { range: kind === "equity" ? undefined : (_, low, high) => [Math.min(0, low * 1.1), Math.max(0, high * 1.1) || 0] } },
    series,
    axes: [axis({ size: 24, space: 60, values: (_, times) => times.map(f.hourOf) }),
      axis({ side: 1, size: 56, space: 26, grid: { stroke: colour("line"), width: 1 }, values: (_, values, axisNumber, space, step) => values.map((value) => FORMATS[kind](value, step, values[values.length - 1])) })],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), f.exchangeZone()),
  };
}

function axis(more) {
  return { stroke: colour("text-3"), font: "11px Inter, sans-serif", gap: 4, grid: { show: false }, ticks: { show: false }, ...more };
}

function fade(plot, stroke) {
  const { top, height } = plot.bbox;
  if (!Number.isFinite(top) || !(height > 0)) return "transparent";
  const down = plot.scales.y.max <= 0;
  const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(down ? 1 : 0, `${stroke}55`);
  gradient.addColorStop(down ? 0 : 1, `${stroke}05`);
  return gradient;
}
