// A few points as one line of SVG, with a dotted line at zero: too small for a chart library.
import { tone } from "./format.js";
import { html, pure } from "./lib.js";

const WIDTH = 60;
const HEIGHT = 18;
const PAD = 2;

export const Sparkline = pure(({ values }) => {
  if (values.length < 2) {
    return html`<svg class="sparkline zero" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true">
      <path d=${`M0 ${HEIGHT - 4}H${WIDTH}`} /></svg>`;
  }
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  const y = (value) => PAD + (HEIGHT - 2 * PAD) * (1 - (value - low) / (high - low || 1));
  const points = values.map((value, index) => `${((index * WIDTH) / (values.length - 1)).toFixed(1)},${y(value).toFixed(1)}`);
  return html`<svg class=${`sparkline ${tone(values[values.length - 1])}`} viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true">
    <path class="zero-line" d=${`M0 ${y(0).toFixed(1)}H${WIDTH}`} />
    <polyline points=${points.join(" ")} />
  </svg>`;
});
