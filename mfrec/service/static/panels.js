// Why an item is recommended, and a person built from a few items.

import { byId, make, named, shown } from "./dom.js";
import { resultList } from "./list.js";

const percent = (share) => `${(share * 100).toFixed(0)} %`;
const many = (count) => (count === 1 ? "1 reason" : `${count.toLocaleString("en")} reasons`);
const REASONS = 3;

/** Say where a score comes from; null while nobody is chosen. */
export function drawBecause(answer, who, choose) {
  const box = byId("because");
  if (!answer) {
    box.replaceChildren(make("p", { className: "quiet", textContent: "Choose a user and an item." }));
    return;
  }
  const { item, score, seen, history, because } = answer;
  const most = Math.max(...because.map((part) => Math.abs(part.contribution)), 1e-9);
  const reasons = because.filter((part) => part.contribution > 0).slice(0, REASONS).flatMap((part, n, all) => [
    n === 0 ? "" : n === all.length - 1 ? " and " : ", ",
    make("b", { textContent: named("item", part) }), ` (${percent(part.share)})`]);
  const sentence = reasons.length
    ? [`${seen ? "Apart from itself, the" : "The"} strongest of ${many(history - seen)} ${reasons.length > 3 ? "are" : "is"} `, ...reasons, "."]
    : ["There is nothing to explain it from."];
  const scoreOf = (part) => ({ text: percent(part.share), part: part.contribution / most });
  const open = box.querySelector("details")?.open ?? false;
  box.replaceChildren(
    make("p", { className: "sentence" }, make("b", { className: "what", textContent: named("item", item) }),
      ` scores ${shown(score)} for ${who}${seen ? ", who knows it already" : ""}. `, ...sentence),
    because.length ? make("details", { open }, make("summary", { textContent: because.length === 1 ? "The only part" : `The ${because.length} largest parts` }),
      resultList("item", because, scoreOf, choose)) : "");
}

/** Removable chips of entries. */
export const chips = (side, entries, remove) => make("ul", { className: "chips" }, ...entries.map((entry) =>
  make("li", { className: side }, make("span", { textContent: named(side, entry) }),
    make("button", { className: "drop", type: "button", textContent: "×", onclick: () => remove(entry),
      aria: { label: `Remove ${named(side, entry)}` } }))));

/** Show the items that a person is built from, and what can be done about them. */
export function drawPerson(watched, item, { add, remove, clear }) {
  const has = item && watched.some((entry) => entry.id === item.id);
  byId("person").replaceChildren(
    make("p", { className: "quiet", textContent: watched.length
      ? "The user row now answers for somebody with this history:"
      : "Find items and add them: the model folds in somebody it has never seen." }),
    watched.length ? chips("item", watched, remove) : "",
    make("div", { className: "acts" },
      item && !has ? make("button", { className: "act", type: "button", id: "add", textContent: `Add ${named("item", item)}`, onclick: () => add(item) }) : null,
      watched.length ? make("button", { className: "act", type: "button", id: "clear", textContent: "Back to a known user", onclick: clear }) : null));
}
