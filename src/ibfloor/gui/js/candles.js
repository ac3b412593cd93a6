// The drawing itself: candles, volume, arrows and the average price on one lightweight-charts canvas.
import {
  CandlestickSeries, createChart, createSeriesMarkers, CrosshairMode, HistogramSeries, LineStyle,
} from "../vendor/lightweight-charts.mjs";
import * as f from "./format.js";
import { colour } from "./themes.js";

const BARS_SHOWN = 90;
const BARS_LEAST = 45;
const MARK_DAY = 2; // lightweight-charts: year, month, day of month; then times

export class CandleChart {
  // onBar gets the bar under the crosshair, or else the last one.
  constructor(box, { digits, tick }, onBar) {
    this.onBar = onBar;
    this.lastBar = null;
    this.markersText = "";
    this.averageText = "";
    this.averageLine = null;
    this.chart = createChart(box, chartOptions());
    this.candles = this.chart.addSeries(CandlestickSeries, candleOptions(digits, tick));
    this.volume = this.chart.addSeries(HistogramSeries, { priceScaleId: "", priceFormat: { type: "volume" },
      lastValueVisible: false, priceLineVisible: false });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });
    this.marks = createSeriesMarkers(this.candles, []);
    this.chart.subscribeCrosshairMove((at) => this.onBar(at.seriesData?.get(this.candles) || this.lastBar));
  }

  setBars(bars, isFirst) {
    this.candles.setData(bars);
    this.volume.setData(bars.map(toVolume));
    this.count = bars.length;
    this.tell(bars);
    if (isFirst) this.chart.timeScale().setVisibleLogicalRange(rangeOf(bars.length));
  }

  setLast(bars) {
    const last = bars[bars.length - 1];
    this.candles.update(last);
    this.volume.update(toVolume(last));
    this.tell(bars);
  }

  setMarkers(markers) {
    const text = JSON.stringify(markers);
    if (text === this.markersText) return;
    this.markersText = text;
    this.marks.setMarkers(markers);
  }

  setAverage(position) {
    const qty = Number(position?.qty || 0);
    const text = qty === 0 ? "" : `${f.quantity(qty)} avg ${position.avg_px}`;
    if (text === this.averageText) return;
    this.averageText = text;
    if (this.averageLine) this.candles.removePriceLine(this.averageLine);
    this.averageLine = qty === 0 ? null : this.candles.createPriceLine({
      price: Number(position.avg_px), color: colour("accent"), lineStyle: LineStyle.Dashed, lineWidth: 1,
      title: `${f.quantity(qty)} avg`, axisLabelTextColor: colour("on-accent"),
    });
  }

  remove() {
    this.chart.remove();
  }

  tell(bars) {
    this.lastBar = bars[bars.length - 1] || null;
    this.onBar(this.lastBar);
  }
}

function rangeOf(count) {
  const shown = Math.min(BARS_SHOWN, Math.max(BARS_LEAST, count + 1));
  return { from: count - shown, to: count + 4 };
}

function toVolume({ time, open, close, volume }) {
  return { time, value: volume, color: colour(close >= open ? "gain-soft" : "loss-soft") };
}

function candleOptions(digits, tick) {
  return {
    upColor: colour("gain"), wickUpColor: colour("gain"), downColor: colour("loss"), wickDownColor: colour("loss"),
    borderVisible: false,
    priceFormat: { type: "custom", minMove: tick || 0.01, formatter: (px) => f.plain(px, digits) },
  };
}

function chartOptions() {
  const line = { color: colour("line") };
  return {
    autoSize: true,
    layout: {
      background: { color: "transparent" }, textColor: colour("text-3"), fontFamily: "Inter, sans-serif", fontSize: 11,
      attributionLogo: false, // it needs an inline style, which the CSP forbids; the footer has the link
    },
    grid: { vertLines: { visible: false }, horzLines: line },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.14, bottom: 0.17 } },
    timeScale: {
      borderColor: colour("line"), timeVisible: true, secondsVisible: false, rightOffset: 4, minBarSpacing: 1.5,
      tickMarkFormatter: (time, kind) => (kind <= MARK_DAY ? f.dayOf(time) : f.hourOf(time)),
    },
    localization: { timeFormatter: (time) => `${f.dayOf(time)} ${f.hourOf(time)} ${f.zoneWord()}` },
    crosshair: { mode: CrosshairMode.Normal },
  };
}
