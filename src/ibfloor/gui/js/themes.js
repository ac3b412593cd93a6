// Dark and light, remembered by this browser.
import { cell } from "./store.js";

export const themeName = cell(document.documentElement.dataset.theme);

export function toggleTheme() {
  const next = themeName.get() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("ibfloor-theme", next);
  } catch {
    // storage may be forbidden: the choice lasts as long as the page
  }
  themeName.set(next);
}

// The colour a CSS variable has now, for canvases.
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
