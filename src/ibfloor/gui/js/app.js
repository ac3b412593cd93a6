// The home page: header, limits, strategies and chart, curves, blotter and log, footer.
import { Banners, Notices } from "./banners.js";
import { Blotter } from "./blotter.js";
import { ChartPanel } from "./chart.js";
import { Curves } from "./curves.js";
import { hasData, stale } from "./feed.js";
import { Footer } from "./footer.js";
import { Header } from "./header.js";
import { Icon } from "./icons.js";
import { Kpis } from "./kpis.js";
import { classes, html } from "./lib.js";
import { LogPanel } from "./log.js";
import { logOut } from "./rest.js";
import { StopDialog } from "./stop.js";
import { useCell } from "./store.js";
import { Strategies } from "./strategies.js";

const SECTIONS = [
  ["home", "Home", "home"],
  ["strategies", "Strategies", "list"],
  ["chart", "Chart", "candles"],
  ["orders", "Orders", "receipt"],
  ["log", "Log", "log"],
];

export function App() {
  const isStale = Boolean(useCell(stale));
  const isReady = useCell(hasData);
  return html`
    <div class=${classes("shell", isStale && isReady && "is-stale")}>
      <${Header} />
      <${Rail} />
      <main id="home" tabindex="-1">
        <${Banners} />
        ${isReady ? html`<${Panels} />` : html`<p class="boot" role="status">Connecting to the floor…</p>`}
      </main>
      <${Footer} />
    </div>
    <${BottomNav} />
    <${StopDialog} />
    <${Notices} />
  `;
}

function Panels() {
  return html`
    <${Kpis} />
    <div class="columns">
      <div class="column"><${Strategies} /><${Blotter} /></div>
      <div class="column"><${ChartPanel} /><${Curves} /><${LogPanel} /></div>
    </div>
  `;
}

function Rail() {
  return html`<nav class="rail" aria-label="Pages">
    <a class="is-here" href="#home" aria-current="page"><${Icon} name="home" size="20" /><span>Home</span></a>
    <span class="space"></span>
    <button type="button" onClick=${logOut}><${Icon} name="door" size="20" /><span>Log out</span></button>
  </nav>`;
}

function BottomNav() {
  return html`<nav class="bottom-nav" aria-label="Sections">
    ${SECTIONS.map(
      ([id, label, icon]) =>
        html`<a key=${id} href=${`#${id}`}><${Icon} name=${icon} size="20" /><span>${label}</span></a>`,
    )}
  </nav>`;
}
