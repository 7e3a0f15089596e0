// A search box: a combobox over one side or both, worked by keyboard, mouse or finger.

import { search } from "./api.js";
import { make } from "./dom.js";

const TITLES = { item: "Items", user: "Users" };
const PAUSE = 120;

/**
 * Set up a box. `sides()` gives pairs of a side and how many to find of it; `pick(side, entry)` is called with what
 * was picked, `fail(error)` with what went wrong, `show(pairs)` with what is found and with nothing once it closes.
 */
export function setUpSearch({ input, list, sides, pick: choose, fail, show: found = () => {} }) {
  let timer, controller, at = -1, entries = [];

  const options = () => [...list.querySelectorAll(".option")];
  const close = () => {
    clearTimeout(timer);
    controller?.abort();
    if (!list.hidden) found([]);
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
    close();
    input.value = "";
    choose(side, entry);
  };
  const show = (groups) => {
    entries = groups.flatMap(([side, results]) => results.map((entry) => [side, entry]));
    list.replaceChildren();
    let n = 0;
    for (const [side, results] of groups) {
      const title = make("p", { role: "presentation", id: `${list.id}-${side}`, textContent: TITLES[side] });
      const group = make("div", { role: "group", aria: { labelledby: title.id } }, title);
      if (results.length) list.append(group);
      for (const entry of results) {
        const place = n++;
        const id = String(entry.id) === entry.label ? "" : String(entry.id);
        group.append(make("div",
          { className: "option", role: "option", id: `${list.id}-${place}`, data: { side }, aria: { selected: "false" },
            onpointerdown: (event) => event.preventDefault(), onclick: () => pick(place) },
          make("span", { textContent: entry.label }), make("small", { textContent: id })));
      }
    }
    if (!n) list.append(make("div", { role: "option", aria: { disabled: "true", selected: "false" }, className: "nothing", textContent: "Nothing is like that. Try fewer letters." }));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    if (n) mark(0);
    found(entries.map(([side, { id }]) => [side, id]));
  };
  const look = async () => {
    const text = input.value.trim();
    controller?.abort();
    if (!text) return close();
    controller = new AbortController();
    const { signal } = controller;
    try {
      const asked = sides();
      const answers = await Promise.all(asked.map(([side, limit]) => search(side, text, limit, signal)));
      if (signal.aborted) return;
      show(asked.map(([side], n) => [side, answers[n].results]));
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
}
