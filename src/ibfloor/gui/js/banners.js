// What must not be overlooked: halted trading, stale numbers, books that do not add up; and short notices.
import { hasData, stale } from "./feed.js";
import * as f from "./format.js";
import { Icon } from "./icons.js";
import { classes, html } from "./lib.js";
import { page } from "./page.js";
import { dismiss, notices } from "./rest.js";
import { HaltBanner } from "./halt.js";
import { keyOf } from "./stop.js";
import { useCell, useRow, useTopic } from "./store.js";

export function Banners() {
  const floor = useRow("floor", "floor");
  const breaks = [...useTopic("breaks").values()];
  const kills = [...useTopic("kills").values()];
  const reason = useCell(stale);
  const isReady = useCell(hasData);
  const here = useCell(page);
  return html`<div class="banners" role="status" aria-live="polite">
    ${reason && isReady && html`<${Banner} kind="is-stale" name="stale" title="Numbers are stale" text=${reason} />`}
    ${kills.map((kill) => html`<${HaltBanner} key=${keyOf(kill)} kill=${kill} />`)}
    ${floor?.watchdog?.startsWith("LOST") && html`<${Banner} kind="is-warn" name="watchdog" title="No watchdog"
      text="Nobody would cancel the orders of a floor that dies. The floor tries to start another." />`}
    ${floor && !floor.kill_latched && !floor.gate_open && floor.gate_reason &&
    html`<${Banner} kind="is-warn" name="gate" title="New entries are blocked" text=${floor.gate_reason} />`}
    ${here !== "books" && breaks.map((row) => html`<${Banner} key=${row.key} kind="is-warn" name="break" title="Books and account differ" text=${row.text || row.key}
      link=${html`<a href="#books">${row.cause && row.cause !== "UNKNOWN" ? `${f.words(row.cause)}: resolve` : "Resolve"}</a>`} />`)}
  </div>`;
}

function Banner({ kind, name, title, text, link = null }) {
  return html`<div class=${`banner ${kind}`} data-test=${`banner-${name}`}><${Icon} name="alert" size="16" /><b>${title}</b><span>${text}</span>${link}</div>`;
}

export function Notices() {
  return html`<div class="notices" role="status" aria-live="polite">
    ${useCell(notices).map(
      (notice) => html`<div key=${notice.number} class=${classes("notice", notice.isError && "is-error")} data-test="notice">
        <${Icon} name=${notice.isError ? "alert" : "check"} size="16" /><span>${notice.text}</span>
        <button type="button" class="icon-button" aria-label="Dismiss" onClick=${() => dismiss(notice.number)}><${Icon} name="close" size="14" /></button>
      </div>`,
    )}
  </div>`;
}
