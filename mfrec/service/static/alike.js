// The look-alike builder: several users or items in, a list of those most like them out.

import { makeCell, PLAIN } from "./cell.js";
import { byId, make, named } from "./dom.js";
import { chips } from "./panels.js";
import { setUpSearch } from "./search.js";

/** `actions` has side(name), add(side, id), remove(id) and clear(). */
export function setUpAlike(limits, { side: turn, add, remove, clear, tune, choose, fail, show }) {
  const side = byId("like");
  const cell = makeCell(
    { name: "alike", title: "Most like all of them", target: "user", controls: PLAIN, most: limits.lookalikes },
    tune, (_, row) => choose(side.value, row));
  cell.element.hidden = true;
  byId("alike").append(cell.element);
  setUpSearch({ input: byId("seed"), list: byId("seeds-found"), sides: () => [[side.value, 8]], fail, show,
    pick: (which, entry) => add(which, entry.id) });
  side.addEventListener("change", () => turn(side.value));

  return {
    /** Draw the seeds and the answer; `asked` are the user and the item of the grid, which can be added at once. */
    draw(state, seeds, asked, question, answer) {
      side.value = state.like;
      const offered = asked[state.like];
      const has = offered && state.seeds.some((id) => id === offered.id);
      byId("seeds").replaceChildren(
        seeds.length ? chips(state.like, seeds, (entry) => remove(entry.id)) : "",
        make("div", { className: "acts" },
          offered && !has ? make("button", { className: "act", type: "button", id: "add-seed",
            textContent: `Add ${named(state.like, offered)}`, onclick: () => add(state.like, offered.id) }) : null,
          seeds.length ? make("button", { className: "act", type: "button", id: "clear-seeds", textContent: "Clear", onclick: clear }) : null));
      cell.element.hidden = !seeds.length;
      cell.element.classList.toggle("items", state.like === "item");
      if (answer) cell.show(state, question, answer, { empty: "Nobody is left.", side: state.like });
    },
    narrow: cell.narrow,
  };
}
