// The home page: header, limits, strategies and chart, curves, blotter and log, footer.
import { Banners, Notices } from "./banners.js";
import { Blotter } from "./blotter.js";
import { Books } from "./books.js";
import { ChartPanel } from "./chart.js";
import { Curves } from "./curves.js";
import { hasData, stale } from "./feed.js";
import { Footer } from "./footer.js";
import { Header } from "./header.js";
import { Icon } from "./icons.js";
import { Kpis } from "./kpis.js";
import { classes, html, useEffect, useState } from "./lib.js";
import { LogPanel } from "./log.js";
import { page } from "./page.js";
import { logOut } from "./rest.js";
import { StopDialog } from "./stop.js";
import { useCell } from "./store.js";
import { Strategies } from "./strategies.js";

const HEADER_PX = 140;
const SECTIONS = [
  ["home", "Home", "home"],
  ["chart", "Chart", "candles"],
  ["strategies", "Strategies", "list"],
  ["orders", "Orders", "receipt"],
  ["log", "Log", "log"],
];
const PAGES = [
  ["home", "Home", "home"],
  ["books", "Books", "book"],
];
const PHONE = [...SECTIONS.slice(0, 4), ["books", "Books", "book"], SECTIONS[4]];

export function App() {
  const isStale = Boolean(useCell(stale));
  const isReady = useCell(hasData);
  const here = useCell(page);
  return html`
    <div class=${classes("shell", isStale && isReady && "is-stale")}>
      <${Header} />
      <${Rail} />
      <main id="home" tabindex="-1">
        <${Banners} />
        ${isReady ? (here === "books" ? html`<${Books} />` : html`<${Panels} />`) : html`<p class="boot" role="status">Connecting to the floor…</p>`}
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
  const here = useCell(page);
  return html`<nav class="rail" aria-label="Pages">
    ${PAGES.map(
      ([id, label, icon]) =>
        html`<a key=${id} href=${`#${id}`} class=${here === id ? "is-here" : ""} aria-current=${here === id ? "page" : undefined}><${Icon} name=${icon} size="20" /><span>${label}</span></a>`,
    )}
    <span class="space"></span>
    <button type="button" onClick=${logOut}><${Icon} name="door" size="20" /><span>Log out</span></button>
  </nav>`;
}

function BottomNav() {
  const here = useSectionInSight();
  return html`<nav class="bottom-nav" aria-label="Sections">
    ${PHONE.map(
      ([id, label, icon]) =>
        html`<a key=${id} href=${`#${id}`} class=${here === id ? "is-here" : ""} aria-current=${here === id ? "true" : undefined}><${Icon} name=${icon} size="20" /><span>${label}</span></a>`,
    )}
  </nav>`;
}

// The section below the header; at the page's end, where the last ones cannot come up that far, the one asked for or the last.
function useSectionInSight() {
  const [here, setHere] = useState("home");
  useEffect(() => {
    const look = () => {
      const tops = SECTIONS.slice(1).map(([id]) => [id, document.getElementById(id)?.getBoundingClientRect().top ?? Infinity]);
      const passed = tops.filter(([, top]) => top <= HEADER_PX);
      const inSight = tops.filter(([, top]) => top < innerHeight - HEADER_PX);
      const isEnd = scrollY > 0 && scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
      const atEnd = inSight.find(([id]) => `#${id}` === location.hash) || inSight[inSight.length - 1];
      setHere(((isEnd && atEnd) || passed[passed.length - 1] || ["home"])[0]);
    };
    addEventListener("scroll", look, { passive: true });
    return () => removeEventListener("scroll", look);
  }, []);
  const onPage = useCell(page);
  return onPage === "home" ? here : onPage;
}
