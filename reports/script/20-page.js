// The whole page: colours, folded parts, and which rows the tables show.
(() => {
  "use strict";
  const page = document.documentElement;
  const template = document.getElementById("tools");
  const main = document.querySelector("main");
  if (!template || !main) return;

  const stored = (value) => {
    // Storage may be forbidden, as it is for some pages that are opened from a file.
    try {
      if (value === undefined) return localStorage.getItem("evalsuite-theme") || "";
      if (value) localStorage.setItem("evalsuite-theme", value);
      else localStorage.removeItem("evalsuite-theme");
    } catch { /* the choice lasts as long as the page */ }
    return value || "";
  };
  const wear = (theme) => {
    if (theme === "light" || theme === "dark") page.dataset.theme = theme;
    else delete page.dataset.theme;
  };
  wear(stored());

  document.querySelector("header").append(template.content.cloneNode(true));
  const tools = document.querySelector(".page-tools");
  const status = tools.querySelector("[role=status]");
  const theme = tools.querySelector("[name=theme]");
  theme.value = page.dataset.theme || "";
  theme.addEventListener("change", () => wear(stored(theme.value)));

  const fold = tools.querySelector("[data-do=fold]");
  const words = [fold.textContent, fold.dataset.close];
  let open = false;
  fold.addEventListener("click", () => {
    open = !open;
    // What is folded within an item's text stays: it is read one by one.
    for (const one of main.querySelectorAll("details")) if (!one.closest(".said")) one.open = open;
    fold.textContent = words[+open];
  });

  const language = tools.querySelector("[name=language]");
  const model = tools.querySelector("[name=model]");
  const rows = [...main.querySelectorAll("tr[data-key]")];
  if (!rows.length) tools.querySelector("fieldset").remove();
  const filter = () => {
    let hidden = 0;
    const touched = new Map();
    for (const row of rows) {
      const [series, code] = row.dataset.key.split(" ");
      // A pair of models is of both.
      const other = model.value && series !== model.value && !row.querySelector(".pair");
      row.hidden = Boolean(other || (language.value && code !== language.value));
      hidden += row.hidden;
      const table = row.closest("table");
      touched.set(table, (touched.get(table) || 0) + row.hidden);
    }
    for (const [table, n] of touched) {
      for (const body of table.tBodies) {
        const own = [...body.rows].filter((row) => !row.classList.contains("group"));
        body.hidden = own.length > 0 && own.every((row) => row.hidden);
      }
      table.dispatchEvent(new CustomEvent("filtered", { detail: n }));
    }
    status.textContent = hidden ? status.dataset.text.replace("{n}", hidden.toLocaleString(page.lang)) : "";
  };
  language.addEventListener("change", filter);
  model.addEventListener("change", filter);
})();
