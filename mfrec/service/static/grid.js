// The grid: a row per side that is asked; in it what that side knows already, then a panel per direction.

import { controlsOf, makeCell, PLAIN } from "./cell.js";
import { byId, make } from "./dom.js";

const capital = (text) => `${text[0].toUpperCase()}${text.slice(1)}`;
const HISTORY = {
  user: ["item", "What this user knows", "of their items"],
  item: ["user", "Who knows this item", "of its users"],
};

/** Make the panels of all directions, of both histories and of the first page. */
export function setUpGrid(model, tune, choose, why) {
  const grid = byId("grid");
  const most = model.limits.k;
  const ask = (row) => make("button", { className: "why", type: "button", textContent: "why",
    onclick: () => why(row), aria: { label: `Why ${row.label}` } });
  const cell = (about, extra) => [about.name, makeCell({ most, ...about }, tune, choose, extra)];
  const cells = new Map([
    ...model.directions.map((d) => cell({
      name: d.name, title: `${capital(d.question)}?`, code: d.name, target: d.target, controls: controlsOf(d),
      absolute: d.similarity === "cosine" }, d.name === "user2item" ? ask : undefined)),
    ...Object.entries(HISTORY).map(([side, [target, title]]) =>
      cell({ name: `history-${side}`, title, target, controls: PLAIN, score: "degree", className: "history" })),
    ...["item", "user"].map((side) => cell({ name: `popular-${side}`, title: "", target: side, controls: PLAIN })),
  ]);
  const titles = new Map();

  function title(key, ...children) {
    if (!titles.has(key)) titles.set(key, make("h2", { className: `asked ${key}` }));
    titles.get(key).replaceChildren(...children);
    return titles.get(key);
  }
  function place(elements, kind) {
    const same = elements.length === grid.children.length && elements.every((e, n) => e === grid.children[n]);
    if (!same) grid.replaceChildren(...elements);
    grid.dataset.kind = kind;
  }

  return {
    /** Draw both rows. `rows` holds, per side: the title of who asks, questions and answers by panel. */
    draw(state, rows) {
      place(rows.flatMap(({ side, title: text, note, questions, answers }) => {
        const named = `history-${side}`;
        const known = answers[named];
        const [target, , whose] = HISTORY[side];
        cells.get(named).show(state, questions[named], known, {
          empty: "Nothing is known.",
          text: known ? `${known.results.length.toLocaleString("en")} of ${known.count.toLocaleString("en")} ${target}s${known.order ? (target === "item" ? ", the most popular first" : ", the most active first") : ""}` : `None ${whose}.`,
        });
        const directions = model.directions.filter((d) => d.query === side).sort((a, b) => a.target.localeCompare(b.target));
        for (const { name } of directions) cells.get(name).show(state, questions[name], answers[name]);
        return [
          title(side, make("span", { className: "side", textContent: side }), make("span", { textContent: text }),
            make("small", { textContent: note })),
          cells.get(named).element, ...directions.map(({ name }) => cells.get(name).element)];
      }), "rows");
    },
    /** Draw the first page, where nobody is asked for: what is popular, and who is active. */
    drawStart(state, asked) {
      const halfLife = asked[0].answer.half_life;
      const late = halfLife == null ? "" : " of late";
      const titles = { item: `What do most people take${late}?`, user: `Who takes most${late}?` };
      place([
        title("start", make("span", { textContent: `Popular${late}` }),
          make("small", { textContent: halfLife == null ? "" : `an interaction counts half after ${halfLife} days` })),
        ...asked.map(({ question, answer }) => {
          const found = cells.get(`popular-${answer.side}`);
          found.show(state, question, answer, { heading: titles[answer.side] });
          return found.element;
        })], "start");
    },
    narrow: (state, name) => cells.get(name)?.narrow(state),
  };
}
