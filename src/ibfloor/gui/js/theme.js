// Before anything is painted: the theme this browser chose last, else the system's, else the dark one.
(() => {
  let theme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  try {
    const chosen = localStorage.getItem("ibfloor-theme");
    if (chosen === "light" || chosen === "dark") theme = chosen;
  } catch {
    // storage may be forbidden: the default will do
  }
  document.documentElement.dataset.theme = theme;
})();
