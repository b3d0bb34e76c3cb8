// Single items: which are shown, and the way from one to the next.
(() => {
  "use strict";
  const page = document.documentElement;
  const section = document.getElementById("items");
  const template = document.getElementById("items-tools");
  if (!section || !template) return;
  template.replaceWith(template.content.cloneNode(true));
  const tools = section.querySelector(".tools");
  const status = tools.querySelector("[role=status]");
  const fields = [...tools.querySelectorAll("select, input")];
  const cards = [...section.querySelectorAll(".card")];
  const known = new Map(cards.map((card) => [card, { text: null, answers: [...card.querySelectorAll("[data-m]")] }]));
  const START = "#items?";

  // Without accents and capitals, as people type.
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase(page.lang);
  const chosen = () => Object.fromEntries(fields.map((field) => [field.name, field.value.trim()]));

  const show = () => {
    const want = chosen();
    const looked = plain(want.text);
    let shown = 0;
    for (const card of cards) {
      const own = known.get(card);
      let hit = !want.group || card.dataset.g === want.group;
      if (hit && looked) {
        own.text ??= plain(card.textContent);
        hit = own.text.includes(looked);
      }
      let any = false;
      for (const answer of own.answers) {
        const side = answer.closest(".side");
        const fits = (!want.model || answer.dataset.m === want.model)
          && (!want.language || side.dataset.l === want.language);
        const found = fits && (!want.answers || answer.classList.contains(want.answers));
        any ||= found;
        answer.classList.toggle("found", Boolean(found && want.answers));
        answer.hidden = Boolean(want.model && answer.dataset.m !== want.model);
      }
      card.hidden = !(hit && any);
      shown += !card.hidden;
      // A language stands beside the one that it is held against.
      const here = want.language && card.querySelector(`.side[data-l="${CSS.escape(want.language)}"]`);
      for (const side of card.querySelectorAll(".side")) {
        side.hidden = Boolean(here && side !== here && side.dataset.l !== here.dataset.ref);
      }
    }
    for (const fold of section.querySelectorAll(".cards")) {
      const some = fold.querySelector(".card:not([hidden])") !== null;
      fold.closest(".item-group").hidden = !some;
      if (some && Object.values(want).some(Boolean)) fold.open = true;
    }
    const count = (n) => n.toLocaleString(page.lang);
    status.textContent = status.dataset.text.replace("{shown}", count(shown)).replace("{total}", count(cards.length));
  };

  const remember = () => {
    const want = new URLSearchParams(Object.entries(chosen()).filter(([, value]) => value));
    try {
      history.replaceState(null, "", want.size || String(want) ? START + want : "#items");
    } catch { /* the address stays as it is */ }
  };
  const recall = () => {
    if (!location.hash.startsWith(START)) return;
    const want = new URLSearchParams(location.hash.slice(START.length));
    for (const field of fields) {
      field.value = want.get(field.name) || "";
      // What this page does not have is not chosen.
      if (field.value === "" && field.tagName === "SELECT") field.selectedIndex = 0;
    }
    show();
    section.scrollIntoView();
  };

  let current = -1;
  const go = (step) => {
    const seen = cards.filter((card) => !card.hidden);
    if (!seen.length) return;
    const at = seen.indexOf(cards[current]);
    const next = seen[Math.min(seen.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
    current = cards.indexOf(next);
    next.closest("details").open = true;
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  for (const card of cards) {
    card.tabIndex = -1;
    card.addEventListener("focusin", () => { current = cards.indexOf(card); });
    card.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || event.target !== card || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      go(step);
    });
  }

  let waiting = 0;
  tools.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { show(); remember(); }, 150);
  });
  tools.addEventListener("click", (event) => {
    const action = event.target.dataset.do;
    if (action === "previous") go(-1);
    if (action === "next") go(1);
    if (action === "reset") {
      for (const field of fields) field.value = "";
      show();
      remember();
    }
  });
  addEventListener("hashchange", recall);
  show();
  recall();
})();
