// "Because you watched", and a person built from a few items.

import { barWidth, byId, make, named, shown } from "./dom.js";

/** Show where a score comes from; null while nobody is chosen. */
export function drawBecause(answer, who, choose) {
  const box = byId("because");
  if (!answer) {
    box.replaceChildren(make("p", { className: "quiet", textContent: "Choose a user and an item." }));
    return;
  }
  const { item, score, seen, history, because } = answer;
  const most = Math.max(...because.map((part) => Math.abs(part.contribution)), 1e-9);
  const rows = because.map((part) => {
    const bar = make("span", { className: "bar" });
    bar.style.width = barWidth(part.contribution / most);
    return make("li", {}, make("button", { className: "hit item", type: "button", title: part.label, onclick: () => choose("item", part) },
      bar, make("span", { className: "label", textContent: named("item", part) }),
      make("span", { className: "score", textContent: `${(part.share * 100).toFixed(0)} %` })));
  });
  box.replaceChildren(
    make("p", { className: "quiet" }, make("b", { textContent: named("item", item) }),
      ` scores ${shown(score)} for ${who}${seen ? ", who knows it already" : ""}. `,
      rows.length ? `The largest parts come from these, of ${history}:` : "There is nothing to explain it from."),
    make("ol", { className: "results" }, ...rows));
}

/** Show the items that a person is built from, and what can be done about them. */
export function drawPerson(watched, item, { add, remove, clear }) {
  const chips = watched.map((entry) => make("li", {}, named("item", entry),
    make("button", { className: "drop", type: "button", textContent: "×", onclick: () => remove(entry), aria: { label: `Remove ${entry.label}` } })));
  const has = item && watched.some((entry) => entry.id === item.id);
  byId("person").replaceChildren(
    make("p", { className: "quiet", textContent: watched.length
      ? "The user row now answers for somebody with this history:"
      : "Find items and add them: the model folds in somebody it has never seen." }),
    make("ul", { className: "chips" }, ...chips),
    make("div", { className: "acts" },
      item && !has ? make("button", { className: "act", type: "button", id: "add", textContent: `Add ${named("item", item)}`, onclick: () => add(item) }) : null,
      watched.length ? make("button", { className: "act", type: "button", id: "clear", textContent: "Back to a known user", onclick: clear }) : null));
}
