// The 2 x 2 grid: a row per side that is asked, a cell per direction, as in the table of directions.

import { barWidth, byId, make, named, shown } from "./dom.js";

/** Draw both rows. `rows` holds, per side: the title of who asks, and the answers by direction. */
export function drawGrid(directions, rows, choose, why) {
  const grid = byId("grid");
  const focused = document.activeElement?.closest?.(".cell")?.dataset.direction;
  grid.replaceChildren();
  for (const { side, title, note, answers } of rows) {
    grid.append(make("h2", { className: `asked ${side}` },
      make("span", { className: "side", textContent: side }),
      make("span", { textContent: title }), make("small", { textContent: note })));
    for (const direction of directions.filter((d) => d.query === side).sort((a, b) => a.target.localeCompare(b.target))) {
      grid.append(cell(direction, answers[direction.name], choose, why));
    }
  }
  if (focused) grid.querySelector(`[data-direction="${focused}"] .hit`)?.focus({ preventScroll: true });
}

/** Draw the first page, where nobody is asked for: what is popular, and who is active. */
export function drawStart(answers, choose) {
  const halfLife = answers[0].half_life;
  const late = halfLife == null ? "" : " of late";
  const questions = { item: `What do most people take${late}`, user: `Who takes most${late}` };
  byId("grid").replaceChildren(
    make("h2", { className: "asked" },
      make("span", { textContent: `Popular${late}` }),
      make("small", { textContent: halfLife == null ? "" : `an interaction counts half after ${halfLife} days` })),
    ...answers.map(({ side, results }) =>
      cell({ name: `popular-${side}`, question: questions[side], target: side }, { results }, choose)));
}

function cell(direction, answer, choose, why) {
  const { name, question, target } = direction;
  const box = make("section", { className: "cell", data: { direction: name }, aria: { label: `${name}: ${question}` } },
    make("h3", {}, make("code", { textContent: name }), `${question[0].toUpperCase()}${question.slice(1)}?`));
  if (!answer) box.append(make("p", { className: "quiet", textContent: "No answer." }));
  else if (!answer.results.length) box.append(make("p", { className: "quiet", textContent: "Nothing is left to recommend." }));
  else box.append(list(direction, answer.results, target, choose, why));
  return box;
}

function list(direction, results, target, choose, why) {
  // cosines have a scale of their own; inner products are compared with the best
  const most = direction.similarity === "cosine" ? 1 : Math.max(...results.map((r) => r.score), 1e-9);
  const rows = results.map((result) => {
    const bar = make("span", { className: "bar" });
    bar.style.width = barWidth(result.score / most);
    const hit = make("button", { className: `hit ${target}`, type: "button", title: result.label, onclick: () => choose(target, result) },
      bar, make("span", { className: "label", textContent: named(target, result) }),
      make("span", { className: "score", textContent: shown(result.score) }));
    const ask = direction.name === "user2item"
      ? make("button", { className: "why", type: "button", textContent: "why", onclick: () => why(result),
          aria: { label: `Why ${result.label}` } })
      : null;
    return make("li", {}, hit, ask);
  });
  return make("ol", { className: "results", onkeydown: step }, ...rows);
}

/** Up and down move within a list. */
function step(event) {
  const to = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const next = to && event.target.closest("li")?.[to];
  if (!next) return;
  event.preventDefault();
  next.querySelector(".hit").focus();
}
