// Line icons, drawn on a 24 grid.
import { html } from "./lib.js";

const PATHS = {
  home: "M4 4h7v9H4z M13 4h7v5h-7z M13 11h7v9h-7z M4 15h7v5H4z",
  list: "M4 7h16 M4 12h16 M4 17h10",
  candles: "M8 4v3 M8 15v5 M5.5 7h5v8h-5z M16 3v5 M16 16v4 M13.5 8h5v8h-5z",
  receipt: "M6 3h12v18l-3-2-3 2-3-2-3 2z M9.5 8h5 M9.5 12h5",
  log: "M4 6h16 M4 10h11 M4 14h16 M4 18h8",
  play: "M8 5.5l11 6.5-11 6.5z",
  pause: "M9 6v12 M15 6v12",
  stop: "M7 7h10v10H7z",
  close: "M6.5 6.5l11 11 M17.5 6.5l-11 11",
  moon: "M20 14.5A8 8 0 1 1 10.5 4a6.5 6.5 0 0 0 9.5 10.5z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M12 2.5v2 M12 19.5v2 M2.5 12h2 M19.5 12h2 M5.3 5.3l1.4 1.4 M17.3 17.3l1.4 1.4 M5.3 18.7l1.4-1.4 M17.3 6.7l1.4-1.4",
  door: "M13 4H6v16h7 M10 12h10 M16.5 8.5L20 12l-3.5 3.5",
  alert: "M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3z M12 7.5v5.5 M12 16.2v.3",
  check: "M5 12.5l4.5 4.5L19 7.5",
  book: "M5 4h9a4 4 0 0 1 4 4v12H8a3 3 0 0 1-3-3z M5 17a3 3 0 0 1 3-3h10 M9 8h5",
  move: "M4 9h13 M13.5 5.5L17 9l-3.5 3.5 M20 15H7 M10.5 11.5L7 15l3.5 3.5",
  restart: "M19.5 12a7.5 7.5 0 1 1-2.2-5.3 M19.5 3.5v4h-4",
};

export function Icon({ name, size = 18 }) {
  return html`<svg class="icon" viewBox="0 0 24 24" width=${size} height=${size} aria-hidden="true">
    <path d=${PATHS[name]} />
  </svg>`;
}
