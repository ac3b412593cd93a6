// The tail of the floor's log: it follows the newest line until somebody scrolls up to read.
import * as f from "./format.js";
import { html, pure, useLayoutEffect, useRef, useState } from "./lib.js";
import { useTopic } from "./store.js";
import { Segment } from "./strategies.js";

const LINES_MAX = 200;
const NEAR_END_PX = 30;
const BAD = new Set(["WARNING", "ERROR", "CRITICAL"]);

export function LogPanel() {
  const lines = [...useTopic("log").values()];
  const [level, setLevel] = useState("All");
  const [text, setText] = useState("");
  const box = useRef(null);
  const isFollowing = useRef(true);
  const wanted = text.trim().toLowerCase();
  const shown = lines
    .filter((line) => level === "All" || BAD.has(line.level.toUpperCase()))
    .filter((line) => !wanted || `${line.source} ${line.text}`.toLowerCase().includes(wanted))
    .slice(-LINES_MAX);
  const newest = shown.length ? shown[shown.length - 1].number : 0;
  useLayoutEffect(() => {
    if (isFollowing.current) box.current.scrollTop = box.current.scrollHeight;
  }, [newest, level, wanted]);
  const onScroll = ({ target }) => {
    isFollowing.current = target.scrollHeight - target.scrollTop - target.clientHeight < NEAR_END_PX;
  };
  return html`<section id="log" class="panel log" aria-label="Log">
    <div class="panel-head">
      <h2>Log</h2><span class="space"></span>
      <input type="search" placeholder="Filter" aria-label="Filter the log" value=${text} maxlength="80"
        onInput=${(event) => setText(event.target.value)} />
      <${Segment} options=${["All", "Warnings"]} value=${level} onChange=${setLevel} label="Level" />
    </div>
    <div class="scroll lines" ref=${box} onScroll=${onScroll} tabindex="0">
      ${shown.map((line) => html`<${Line} key=${line.number} line=${line} />`)}
      ${shown.length === 0 && html`<p class="empty">Nothing to show.</p>`}
    </div>
  </section>`;
}

const Line = pure(({ line }) => {
  const level = line.level.toUpperCase();
  return html`<div class=${`line level-${level.toLowerCase()}`}>
    <time>${f.timeOf(line.ts_ns)}</time><b>${level === "WARNING" ? "WARN" : level}</b><i>${line.source}</i><span>${line.text}</span>
  </div>`;
});
