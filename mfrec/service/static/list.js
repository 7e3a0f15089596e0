// A list of results: bars, labels with their ids, scores; up and down move within it.

import { barWidth, make, named, shown } from "./dom.js";

/** What stands beside a label: nothing where the label is the id. */
const idOf = (row) => (String(row.id) === row.label ? "" : String(row.id));

/** `score(row)` gives the text and the length of its bar, from 0 to 1; `extra(row)` may give one more button. */
export function resultList(side, rows, score, choose, extra = () => null) {
  // the longest id says how much room all bars of a list leave
  const longest = rows.map(idOf).reduce((most, id) => (id.length > most.length ? id : most), "").slice(0, 8);
  return make("ol", { className: "results", onkeydown: step }, ...rows.map((row) => {
    const { text, part } = score(row);
    const bar = make("span", { className: "bar" });
    bar.style.width = barWidth(part, longest);
    return make("li", { data: { text: `${row.label} ${row.id}`.toLowerCase() } },
      make("button", { className: `hit ${side}`, type: "button", onclick: () => choose(side, row) },
        bar, make("span", { className: "label", textContent: named(side, row) }),
        idOf(row) ? make("small", { className: "id", title: "id", textContent: row.id }) : null,
        make("span", { className: "score", textContent: text })),
      extra(row));
  }));
}

/** How scores are shown: cosines have a scale of their own, all else is compared with the best. */
export function scoring(rows, name, absolute) {
  const most = absolute ? 1 : Math.max(...rows.map((row) => row[name] ?? 0), 1e-9);
  const text = name === "degree" ? (value) => value.toLocaleString("en") : shown;
  return (row) => (row[name] == null ? { text: "", part: 0 } : { text: text(row[name]), part: row[name] / most });
}

/** Show only rows that hold a text; return how many. */
export function filter(list, text) {
  const wanted = text.trim().toLowerCase();
  const rows = [...list.children];
  rows.forEach((row) => (row.hidden = !row.dataset.text.includes(wanted)));
  return rows.filter((row) => !row.hidden).length;
}

function step(event) {
  const to = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  let next = to && event.target.closest("li")?.[to];
  while (next?.hidden) next = next[to];
  if (!next) return;
  event.preventDefault();
  next.querySelector(".hit").focus();
}
