// Tables: sorted by a column, copied for a spreadsheet.
(() => {
  "use strict";
  const page = document.documentElement;
  const [, group = "", decimal = "."] = /1(\D?)234\D?567(\D)5/.exec((page.dataset.number || "").replace(/\s/g, " ")) || [];
  const words = new Intl.Collator(page.lang || "en", { numeric: true, sensitivity: "base" });
  const status = document.querySelector(".page-tools [role=status]");
  const template = document.getElementById("table-tools");
  const isGroup = (row) => row.classList.contains("group");

  const cellAt = (row, column) => {
    let at = 0;
    for (const cell of row.cells) {
      if (at === column && cell.colSpan === 1) return cell;
      at += cell.colSpan;
      if (at > column) return null;
    }
    return null;
  };
  const textOf = (cell) => {
    const copy = cell.cloneNode(true);
    for (const small of copy.querySelectorAll("small, svg, .tag")) small.remove();
    return copy.textContent.replace(/\s+/g, " ").trim();
  };
  // A number and what follows it: numbers with unlike units have no order.
  const numberOf = (text) => {
    let plain = text.replace(/\u2212/g, "-");
    if (group) plain = plain.split(group).join("");
    const found = /^(<?)\s*([+-]?\d+(?:\D\d+)?)(.*)$/.exec(plain);
    if (!found) return null;
    const digits = found[2].replace(decimal, ".");
    const value = Number(digits);
    return Number.isNaN(value) ? null : { value: found[1] ? value - 1e-9 : value, unit: found[3].trim() };
  };

  // What a column is sorted by, by row; null where its cells have no common order.
  const keysOf = (rows, column, numeric) => {
    const keys = new Map();
    let unit = null;
    let found = 0;
    for (const row of rows) {
      const cell = cellAt(row, column);
      const text = cell ? textOf(cell) : "";
      if (!text || text.startsWith("\u2014")) continue;
      found += 1;
      if (!numeric) {
        keys.set(row, text);
        continue;
      }
      if (cell.dataset.v !== undefined && cell.dataset.v !== "") {
        keys.set(row, Number(cell.dataset.v));
        continue;
      }
      const number = numberOf(text);
      if (!number || (unit !== null && unit !== number.unit)) return null;
      unit = number.unit;
      keys.set(row, number.value);
    }
    return found > 1 ? keys : null;
  };

  const arrange = (table, column, numeric, sign) => {
    const bodies = [...table.tBodies];
    const rowsOf = (body) => [...body.rows].filter((row) => !isGroup(row));
    const keys = keysOf(bodies.flatMap(rowsOf), column, numeric);
    if (!keys) return;
    const compare = (a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      // What is missing comes last, whichever way.
      if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
      return sign * (numeric ? x - y : words.compare(x, y));
    };
    if (bodies.length > 1 && bodies.every((body) => rowsOf(body).length === 1 && body.rows.length === 1)) {
      bodies.sort((a, b) => compare(a.rows[0], b.rows[0]));
      table.append(...bodies);
      return;
    }
    for (const body of bodies) body.append(...rowsOf(body).sort(compare));
  };

  const makeSortable = (table) => {
    const heads = table.tHead && table.tHead.rows.length === 1 ? [...table.tHead.rows[0].cells] : [];
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]).filter((row) => !isGroup(row));
    if (rows.length < 2 || heads.some((head) => head.colSpan > 1) || table.querySelector("[rowspan]")) return;
    if (table.closest(".confusion")) return;
    heads.forEach((head, column) => {
      const numeric = head.classList.contains("num");
      if (!head.textContent.trim() || !keysOf(rows, column, numeric)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const last = head.getAttribute("aria-sort");
        // Numbers begin with the largest, words with the first.
        const down = last ? last === "ascending" : numeric;
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        arrange(table, column, numeric, down ? -1 : 1);
      });
    });
  };

  const csvOf = (table) => {
    const lines = [];
    const quoted = (text) => {
      let plain = text.replace(/\s+/g, " ").trim().replace(/^\u2212/, "-");
      // A spreadsheet would run it as a formula.
      if (/^[=@]|^[+-](?!\d)/.test(plain)) plain = `'${plain}`;
      return `"${plain.replace(/"/g, '""')}"`;
    };
    const stacked = table.querySelector("tr.group") !== null;
    let under = "";
    for (const row of table.rows) {
      if (row.hidden || row.parentNode.hidden) continue;
      if (isGroup(row)) {
        under = row.textContent;
        continue;
      }
      const cells = [...row.cells].flatMap((cell) => {
        const copy = cell.cloneNode(true);
        for (const small of copy.querySelectorAll("small")) small.before(" ");
        return [copy.textContent, ...Array(cell.colSpan - 1).fill("")];
      });
      lines.push((stacked ? [row.parentNode.tagName === "THEAD" ? "" : under, ...cells] : cells).map(quoted).join(","));
    }
    return `${lines.join("\r\n")}\r\n`;
  };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { /* older browsers, and pages that may not use it */ }
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    let done = false;
    try { done = document.execCommand("copy"); } catch { /* it is not allowed */ }
    area.remove();
    return done;
  };
  const addTools = (table) => {
    const box = table.closest(".scroll");
    if (!box || !template) return;
    const tools = template.content.firstElementChild.cloneNode(true);
    const [told, button] = tools.children;
    button.setAttribute("aria-label", `${button.textContent}: ${table.caption ? table.caption.textContent : ""}`);
    button.addEventListener("click", async () => {
      const done = await copy(csvOf(table));
      button.focus();
      if (status) status.textContent = done ? status.dataset.copied : status.dataset.failed;
      told.hidden = false;
      told.textContent = done ? status.dataset.copied : status.dataset.failed;
    });
    table.addEventListener("filtered", (event) => {
      told.hidden = !event.detail;
      told.textContent = told.dataset.text.replace("{n}", event.detail.toLocaleString(page.lang));
    });
    box.before(tools);
  };

  for (const table of document.querySelectorAll("main table")) {
    makeSortable(table);
    addTools(table);
  }
})();
