// Candles of the selected instrument, the selected strategy's fills as arrows, its average price as a line.
import { CandleChart } from "./candles.js";
import { markersOf, Minutes, newestMinute, SIZES } from "./bars.js";
import { stale } from "./feed.js";
import * as f from "./format.js";
import { html, useEffect, useRef, useState } from "./lib.js";
import { instrumentOf, select, useSelection } from "./selection.js";
import { listen, rowsOf, useCell, useTopic } from "./store.js";
import { Segment } from "./strategies.js";
import { colour, themeName } from "./themes.js";

export function ChartPanel() {
  const { strategy, symbol, row } = useSelection();
  const [size, setSize] = useState("1m");
  useTopic("instruments");
  const instrument = symbol === null ? null : instrumentOf(symbol);
  return html`<section id="chart" class="panel chart" aria-label="Chart">
    <div class="panel-head">
      <h2>${symbol || "Chart"}</h2>${strategy && html`<span class="count">· ${strategy}</span>`}
      ${row?.symbols.length > 1 &&
      html`<${Segment} options=${row.symbols} value=${symbol} onChange=${(other) => select(strategy, other)} label="Symbol" />`}
      <span class="space"></span>
      <${Segment} options=${Object.keys(SIZES)} value=${size} onChange=${setSize} label="Bar size" />
    </div>
    ${instrument
      ? html`<${Candles} strategy=${strategy} instrumentId=${instrument.instrument_id} digits=${f.tickDigits(instrument.min_tick)}
          tick=${Number(instrument.min_tick)} size=${size} />`
      : html`<p class="empty">${strategy ? "This strategy watches no instrument yet." : "Select a strategy."}</p>`}
  </section>`;
}

function Candles({ strategy, instrumentId, digits, tick, size }) {
  const box = useRef(null);
  const [bar, setBar] = useState(null);
  const [problem, setProblem] = useState("");
  const isStale = Boolean(useCell(stale));
  const theme = useCell(themeName);
  useEffect(() => {
    const drawing = draw(box.current, { strategy, instrumentId, digits, tick, seconds: SIZES[size] }, setBar, setProblem);
    return drawing;
  }, [strategy, instrumentId, digits, tick, size, theme, isStale]);
  return html`<div class="chart-body">
    <${Legend} bar=${bar} digits=${digits} />
    ${problem && html`<p class="empty">${problem}</p>`}
    <div class="canvas" ref=${box} data-test="candles"></div>
  </div>`;
}

function Legend({ bar, digits }) {
  if (!bar) return html`<div class="legend"></div>`;
  const change = bar.open > 0 ? (bar.close / bar.open - 1) * 100 : null;
  return html`<div class="legend" data-test="legend">
    ${[["O", bar.open], ["H", bar.high], ["L", bar.low], ["C", bar.close]].map(
      ([letter, px]) => html`<span key=${letter}>${letter} <b>${f.plain(px, digits)}</b></span>`,
    )}
    <span class=${f.tone(change)}>${f.percent(change)}</span>
    <span class="gain">▲ buy fill</span><span class="loss">▼ sell fill</span><span class="avg">╌ avg price</span>
  </div>`;
}

// Keep one drawing alive: load, then follow the floor; returns how to end it.
function draw(box, view, onBar, onProblem) {
  const minutes = new Minutes(view.instrumentId);
  const chart = new CandleChart(box, view, onBar);
  let isOver = false;
  let isMending = false;
  const show = (isFirst) => {
    chart.setBars(minutes.folded(view.seconds), isFirst);
    showMarks(chart, view, minutes);
  };
  const mend = async () => {
    if (isMending) return;
    isMending = true;
    await minutes.mend().catch(() => {}); // the line is gone: a snapshot will come, and a new drawing
    isMending = false;
    if (!isOver) show(false);
  };
  const follow = () => {
    const row = newestMinute(rowsOf("bars"), view.instrumentId);
    if (!row || minutes.bars.length === 0) return;
    if (minutes.take(row)) mend();
    chart.setLast(minutes.folded(view.seconds));
  };
  const stops = [listen("bars", follow)];
  for (const topic of ["fills", "positions"]) stops.push(listen(topic, () => showMarks(chart, view, minutes)));
  minutes.load().then(
    () => isOver || (show(true), onProblem(minutes.bars.length === 0 ? "No bars yet." : "")),
    (error) => isOver || onProblem(error.message),
  );
  return () => {
    isOver = true;
    stops.forEach((stop) => stop());
    chart.remove();
  };
}

function showMarks(chart, { strategy, instrumentId, seconds }, minutes) {
  const first = minutes.bars[0];
  if (!first) return;
  const fills = [...rowsOf("fills").values()].filter(
    (fill) => fill.strategy === strategy && fill.instrument_id === instrumentId && fill.ts_ns / 1e9 >= first.time,
  );
  chart.setMarkers(markersOf(fills, seconds, { gain: colour("gain"), loss: colour("loss") }));
  chart.setAverage(rowsOf("positions").get(`${strategy}/${instrumentId}`));
}
