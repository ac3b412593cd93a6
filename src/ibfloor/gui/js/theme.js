// Before anything is painted: the theme this browser chose last, else the dark one.
(() => {
  let theme = "dark";
  try {
    theme = localStorage.getItem("ibfloor-theme") === "light" ? "light" : "dark";
  } catch {
    // storage may be forbidden: the default will do
  }
  document.documentElement.dataset.theme = theme;
})();
