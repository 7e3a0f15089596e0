// The search box: a combobox over both sides, worked by keyboard, mouse or finger.

import { search } from "./api.js";
import { byId, make } from "./dom.js";

const SIDES = [["item", "Items", 7], ["user", "Users", 4]];
const PAUSE = 120;

/** Set up the box; `choose(side, entry)` is called with what was picked, `fail(error)` with what went wrong. */
export function setUpSearch(choose, fail) {
  const input = byId("query");
  const list = byId("found");
  let timer, controller, at = -1, entries = [];

  const options = () => [...list.querySelectorAll("[role=option]")];
  const close = () => {
    controller?.abort();
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const mark = (place) => {
    const all = options();
    if (!all.length) return;
    at = (place + all.length) % all.length;
    all.forEach((option, n) => option.setAttribute("aria-selected", String(n === at)));
    all[at].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", all[at].id);
  };
  const pick = (place) => {
    const [side, entry] = entries[place] ?? [];
    if (!entry) return;
    clearTimeout(timer);
    close();
    input.value = "";
    choose(side, entry);
  };
  const show = (groups) => {
    entries = groups.flatMap(([side, , results]) => results.map((entry) => [side, entry]));
    list.replaceChildren();
    let n = 0;
    for (const [side, title, results] of groups) {
      if (results.length) list.append(make("p", { role: "presentation", textContent: title }));
      for (const entry of results) {
        const place = n++;
        const id = String(entry.id) === entry.label ? "" : String(entry.id);
        list.append(make("div",
          { className: "option", role: "option", id: `option-${place}`, data: { side }, aria: { selected: "false" },
            onpointerdown: (event) => event.preventDefault(), onclick: () => pick(place) },
          make("span", { textContent: entry.label }), make("small", { textContent: id })));
      }
    }
    if (!n) list.append(make("p", { role: "presentation", textContent: "Nothing is like that. Try fewer letters." }));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    if (n) mark(0);
  };
  const look = async () => {
    const text = input.value.trim();
    controller?.abort();
    if (!text) return close();
    controller = new AbortController();
    const { signal } = controller;
    try {
      const answers = await Promise.all(SIDES.map(([side, , limit]) => search(side, text, limit, signal)));
      if (signal.aborted) return;
      show(SIDES.map(([side, title], n) => [side, title, answers[n].results]));
      // what the list is an answer to: while somebody types, it may be to the first letters only
      list.dataset.query = text;
    } catch (error) {
      if (error.name !== "AbortError") fail(error);
    }
  };
  const keys = {
    ArrowDown: () => (list.hidden ? look() : mark(at + 1)),
    ArrowUp: () => mark(at - 1),
    Enter: () => pick(at),
    Escape: () => (list.hidden ? (input.value = "") : close()),
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE);
  });
  input.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.isComposing) return;
    event.preventDefault();
    keys[event.key]();
  });
  input.addEventListener("blur", close);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      input.focus();
    }
  });
}
