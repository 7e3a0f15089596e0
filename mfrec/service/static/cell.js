// One panel with a list: its controls stay while its list is drawn anew, so that nobody loses the focus.

import { keyed } from "./api.js";
import { make } from "./dom.js";
import { filter, resultList, scoring } from "./list.js";
import { csv, curl } from "./questions.js";
import { optionsOf, USUAL } from "./state.js";

// of each control: its label, its input, and what the closed panel says about it
const CONTROLS = {
  k: { label: "Results", input: { type: "number", min: 1, step: 1 }, told: (value) => `${value} results` },
  diversity: { label: "Diversity", input: { type: "range", min: 0, max: 1, step: 0.1 }, told: (value) => `diversity ${value}` },
  min: { label: "Least score", input: { type: "number", step: "any" }, told: (value) => `score from ${value}` },
  seen: { label: "Show seen", input: { type: "checkbox" }, told: () => "seen ones too" },
  filter: { label: "Filter", input: { type: "search", maxLength: 200 }, told: (value) => `with “${value}”` },
};
const ACROSS = ["k", "diversity", "min", "seen", "filter"];
const SAME = ["k", "diversity", "min", "filter"];
export const PLAIN = ["k", "filter"];
export const controlsOf = (direction) => (direction.query === direction.target ? SAME : ACROSS);

const valueOf = (name, input) => {
  if (name === "seen") return input.checked;
  if (name === "filter") return input.value;
  if (name === "min") return input.value === "" ? null : Number(input.value);
  return Number(input.value);
};

/**
 * Make a panel. `about` holds its name, title, target, controls, most (of k), and whether scores are absolute;
 * `tune(name, change, quiet)` is called when a control moves; quietly where nothing new needs to be asked.
 */
export function makeCell(about, tune, choose, extra) {
  const { name, title, target, controls, most = 1000, score = "score", absolute = false } = about;
  let question = null, rows = [], list = null;
  const told = make("span", { className: "told" });
  const matching = make("p", { className: "quiet", hidden: true });
  const body = make("div", { className: "body" });
  const command = make("pre", { className: "command", tabIndex: 0, hidden: true, aria: { label: "The command" } });
  const inputs = Object.fromEntries(controls.map((option) => {
    const input = make("input", { ...CONTROLS[option].input, id: `${name}-${option}` });
    if (option === "k") input.max = most;
    const change = () => {
      let value = valueOf(option, input);
      if (option === "k") value = Math.min(most, Math.max(1, Math.trunc(value) || USUAL.k));
      tune(name, { [option]: value }, option === "filter");
    };
    input.addEventListener(option === "filter" ? "input" : "change", change);
    return [option, input];
  }));
  const copy = async () => {
    command.textContent = curl(question, keyed());
    command.hidden = false;
    // a page that is not secure has no clipboard; the text is there all the same
    await navigator.clipboard?.writeText(command.textContent).catch(() => {});
  };
  const download = () => {
    const kept = rows.filter((_, n) => !list.children[n].hidden);
    const address = URL.createObjectURL(new Blob([csv(kept, score)], { type: "text/csv;charset=utf-8" }));
    make("a", { href: address, download: `${name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };
  const act = (className, textContent, onclick) => make("button", { className: `act ${className}`, type: "button", textContent, onclick });
  const acts = make("div", { className: "acts" }, act("curl", "Copy as curl", copy), act("csv", "Download CSV", download));
  const options = make("details", { className: "options" }, make("summary", { textContent: "Options " }, told),
    make("div", { className: "controls" }, ...controls.map((option) =>
      make("label", { for: `${name}-${option}` }, CONTROLS[option].label, inputs[option]))), acts, command);
  const heading = make("h3", {}, make("span", { textContent: title }), about.code ? make("code", { textContent: about.code }) : null);
  const note = make("p", { className: "quiet note", hidden: true });
  const element = make("section", { className: `cell ${about.className ?? ""}`, data: { direction: name }, aria: { label: title } },
    heading, note, options, matching, body);

  function narrow(text) {
    const left = list ? filter(list, text) : 0;
    matching.hidden = !text.trim() || !list;
    matching.textContent = `${left} of ${rows.length} shown`;
  }

  function say(chosen) {
    told.textContent = controls.filter((option) => option === "k" || chosen[option] !== USUAL[option])
      .map((option) => CONTROLS[option].told(chosen[option])).join(" · ");
    for (const option of controls) {
      const input = inputs[option];
      if (input === document.activeElement && option === "filter") continue;
      if (option === "seen") input.checked = chosen.seen;
      else input.value = chosen[option] ?? "";
    }
  }

  return {
    element,
    /** Show an answer to a question; `empty` is said where there is nothing. */
    show(state, asked, answer, { empty = "Nothing is left to recommend.", text = "", heading: named = title, side = target } = {}) {
      const chosen = optionsOf(state, name);
      const focused = body.contains(document.activeElement);
      question = asked;
      rows = answer?.results ?? [];
      heading.firstChild.textContent = named;
      note.textContent = text;
      note.hidden = !text;
      list = rows.length ? resultList(side, rows, scoring(rows, score, absolute), choose, extra) : null;
      body.replaceChildren(list ?? make("p", { className: "quiet", textContent: answer ? empty : "No answer." }));
      command.hidden = true;
      acts.hidden = !question || !list;
      say(chosen);
      narrow(chosen.filter);
      if (focused) body.querySelector(".hit")?.focus({ preventScroll: true });
    },
    /** Take over controls that need no new answer. */
    narrow(state) {
      say(optionsOf(state, name));
      narrow(optionsOf(state, name).filter);
    },
  };
}
