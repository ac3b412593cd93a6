// Which page is shown: the address's fragment says it. Whatever is no page of its own is a section of the home page.
import { cell } from "./store.js";

const PAGES = new Set(["books"]);
export const page = cell(pageOf(location.hash));

addEventListener("hashchange", () => {
  const before = page.get();
  page.set(pageOf(location.hash));
  if (page.get() === before) return;
  const section = location.hash.slice(1);
  setTimeout(() => {
    if (page.get() === "home") document.getElementById(section)?.scrollIntoView(); // it is drawn by now
    else scrollTo(0, 0);
  }, 50);
});

function pageOf(hash) {
  const name = hash.slice(1);
  return PAGES.has(name) ? name : "home";
}
