// The home page starts here: who am I, then draw, then listen.
import { App } from "./app.js";
import { startFeed } from "./feed.js";
import { html, render } from "./lib.js";
import { loadSession } from "./rest.js";

await loadSession();
const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
startFeed();
