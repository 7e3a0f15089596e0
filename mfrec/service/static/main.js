// The page: what is chosen lives in the address, and whatever changes it draws the page anew.

import { setUpAlike } from "./alike.js";
import { answer, ask, chart, explain, onVersion, places } from "./api.js";
import { byId, make, named } from "./dom.js";
import { setUpGrid } from "./grid.js";
import { setUpMap } from "./map.js";
import { drawBecause, drawPerson } from "./panels.js";
import * as questions from "./questions.js";
import { setUpSearch } from "./search.js";
import { optionsOf, read, write } from "./state.js";
import { drawBanner } from "./words.js";

const SIDES = ["user", "item"];

let model = null, grid = null, alike = null;
let first = {};
let running = null;
let begun = false;

const chosen = () => read(model.sides);
const starts = (state) => !state.watched.length && state.user == null && state.item == null;

/** What is asked for: what was chosen, else the most active of a side. */
function asked(state) {
  const pick = (side) => state[side] ?? first[side]?.id;
  return { user: state.watched.length ? null : pick("user"), item: pick("item"), watched: state.watched };
}

function go(change) {
  history.pushState(null, "", write({ ...chosen(), ...change }));
  render();
}

/** Keep a change in the address without a new step back. */
const keep = (change) => history.replaceState(null, "", write({ ...chosen(), ...change }));

const choose = (side, entry) =>
  go({ why: null, ...(side === "user" ? { user: entry.id, watched: [] } : { item: entry.id }) });

function tune(panel, change, quiet) {
  const { panels } = chosen();
  const next = { panels: { ...panels, [panel]: { ...panels[panel], ...change } } };
  if (!quiet) return go(next);
  keep(next);
  (panel === "alike" ? alike.narrow : (state) => grid.narrow(state, panel))(chosen());
}

function why(row) {
  history.pushState(null, "", write({ ...chosen(), why: row.id }));
  because(chosen(), running.signal, row.id);
  byId("because-panel").focus({ preventScroll: true });
  byId("because-panel").scrollIntoView({ block: "nearest" });
}

function fail(error) {
  if (error.name === "AbortError") return;
  const box = byId("alert");
  const near = (error.near ?? []).map((entry) =>
    make("button", { type: "button", textContent: entry.label, onclick: () => choose(error.side ?? "item", entry) }));
  const again = make("button", { type: "button", textContent: "Try again", onclick: () => (begun ? render() : start()) });
  box.replaceChildren(error.message, ...(near.length ? near : [again]));
  box.hidden = false;
}

const map = setUpMap({ choose, moved: (view) => keep({ view }), coloured: (colour) => go({ colour }) });
const watchers = {
  add: (entry) => go({ watched: [...chosen().watched, entry.id], user: null, why: null }),
  remove: (entry) => go({ watched: chosen().watched.filter((id) => id !== entry.id), why: null }),
  clear: () => go({ watched: [], user: first.user?.id, why: null }),
};
const seeds = {
  side: (like) => go({ like, seeds: [] }),
  add: (like, id) => chosen().seeds.includes(id) || go({ like, seeds: [...chosen().seeds, id] }),
  remove: (id) => go({ seeds: chosen().seeds.filter((one) => one !== id) }),
  clear: () => go({ seeds: [] }),
};

/** The questions of a row, by panel. */
function questionsOf(side, state) {
  const who = asked(state), known = `history-${side}`;
  const all = model.directions.filter((d) => d.query === side)
    .map((d) => [d.name, questions.ranking(d, who, optionsOf(state, d.name))]);
  if (who[side] != null) all.push([known, questions.history(side, who[side], optionsOf(state, known))]);
  return Object.fromEntries(all.filter(([, question]) => question));
}

async function answersOf(side, asking, signal) {
  try {
    const answers = await Promise.all(Object.values(asking).map((question) => answer(question, signal)));
    return Object.fromEntries(Object.keys(asking).map((name, n) => [name, answers[n]]));
  } catch (error) {
    error.side = side;
    throw error;
  }
}

/** The labels of ids of a side. */
async function entries(side, ids) {
  if (!ids.length) return [];
  const known = await places(side, ids);
  return known.ids.map((id, n) => ({ id, label: known.labels[n] }));
}

function rowsOf(state, asking, [user, item], watched) {
  const who = user.user2item?.query, what = item.item2item?.query;
  const answers = [state.watched.length ? { ...user, "history-user": { results: watched, count: watched.length } } : user, item];
  const titles = [state.watched.length ? "somebody new" : who ? named("", who).trim() : "nobody", what ? named("", what).trim() : "nothing"];
  const note = (query) => (query && query.label !== String(query.id) ? `id ${query.id}` : "");
  return SIDES.map((side, n) => ({ side, title: titles[n], note: note([who, what][n]), questions: asking[n], answers: answers[n] }));
}

async function render() {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const state = chosen();
  byId("grid").ariaBusy = "true";
  map.show(state.view, state.colour);
  try {
    const [user, item] = starts(state) ? await begin(state, signal) : await show(state, signal);
    if (!signal.aborted) await drawAlike(state, { user, item }, signal);
  } catch (error) {
    fail(error);
  }
}

/** Show who and what are asked for; return the entries of both. */
async function show(state, signal) {
  const asking = SIDES.map((side) => questionsOf(side, state));
  // one side may be unknown while the other answers
  const [settled, watched] = await Promise.all([
    Promise.allSettled(SIDES.map((side, n) => answersOf(side, asking[n], signal))), entries("item", state.watched)]);
  if (signal.aborted) return [];
  const answers = settled.map((result) => result.value ?? {});
  const failed = settled.filter((result) => result.status === "rejected");
  byId("alert").hidden = true;
  failed.forEach((result) => fail(result.reason));
  const rows = rowsOf(state, asking, answers, watched);
  grid.draw(state, rows);
  document.title = `${rows[0].title} × ${rows[1].title} · mfrec`;
  byId("grid").ariaBusy = "false";
  const [user, item] = answers;
  drawPerson(watched, item.item2item?.query ?? null, watchers);
  // an item that was not chosen explains nothing: the first recommendation does
  const about = state.why ?? state.item ?? user.user2item?.results[0]?.id ?? first.item?.id;
  await Promise.all([
    light(state, { ...user, ...item }),
    failed.length ? drawBecause(null) : because(state, signal, about),
  ]);
  return [user.user2item?.query, item.item2item?.query];
}

/** Show the first page: nobody is asked for, so it is what is popular and who is active. */
async function begin(state, signal) {
  const asking = ["item", "user"].map((side) => questions.popular(side, optionsOf(state, `popular-${side}`)));
  const answers = await Promise.all(asking.map((question) => answer(question, signal)));
  if (signal.aborted) return [];
  byId("alert").hidden = true;
  grid.drawStart(state, asking.map((question, n) => ({ question, answer: answers[n] })));
  drawBecause(null);
  drawPerson([], null, watchers);
  document.title = "mfrec explorer";
  byId("grid").ariaBusy = "false";
  await map.light([], answers.flatMap(({ side, results }) => results.map(({ id }) => [side, id])));
  return [];
}

async function because(state, signal, item) {
  const { user, watched } = asked(state);
  const who = watched.length ? watched.map((id) => `history=${encodeURIComponent(id)}`).join("&") : `user=${encodeURIComponent(user)}`;
  if (item == null || (user == null && !watched.length)) return drawBecause(null);
  try {
    const found = await explain(who, item, signal);
    if (!signal.aborted) drawBecause(found, found.user ? named("user", found.user) : "somebody new", choose);
  } catch (error) {
    fail(error);
  }
}

async function drawAlike(state, offered, signal) {
  const question = state.seeds.length ? questions.lookalikes(state.like, state.seeds, optionsOf(state, "alike")) : null;
  const [known, found] = await Promise.all([entries(state.like, state.seeds), question && answer(question, signal)]);
  if (!signal.aborted) alike.draw(state, known, offered, question, found);
}

function light(state, answers) {
  const user = answers.user2item, item = answers.item2item;
  const rings = [
    ...(item ? [["item", item.query.id]] : []),
    ...(user?.query ? [["user", user.query.id]] : []),
    ...(user ? state.watched.map((id) => ["item", id]) : []),
  ];
  const lists = model.directions.map((d) => answers[d.name]).filter(Boolean);
  return map.light(rings, lists.flatMap((list) => list.results.map((row) => [list.target, row.id])));
}

async function start() {
  try {
    const [about, ...most] = await Promise.all([ask("/v1/model"), ...SIDES.map((side) => chart(side, 1))]);
    model = about;
    drawBanner(byId("banner"), model);
    grid ??= setUpGrid(model, tune, choose, why);
    alike ??= setUpAlike(model.limits, { ...seeds, tune, choose, fail, show: circle });
    first = Object.fromEntries(most.map((one) => [one.side, one.ids.length ? { id: one.ids[0], label: one.labels[0] } : null]));
    begun = true;
    // the panels are asked for first
    await Promise.all([render(), map.load(model.limits.points)]);
    map.show(chosen().view, chosen().colour);
  } catch (error) {
    if (!begun) byId("banner").textContent = "No model";
    fail(error);
  }
}

const circle = (pairs) => map.circle(pairs).catch(fail);

onVersion((version) => {
  // a new model was swapped in: its numbers, places and answers replace the old ones
  if (begun && model && version !== model.version) {
    model = { ...model, version };
    start();
  }
});
setUpSearch({ input: byId("query"), list: byId("found"), sides: () => [["item", 7], ["user", 4]], pick: choose, fail, show: circle });
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    byId("query").focus();
  }
});
addEventListener("popstate", () => begun && render());
start();
