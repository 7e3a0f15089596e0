// The page: what is chosen lives in the address, so that links, back and forward work.

import { ask, explain, folded, onVersion, one, places, popular } from "./api.js";
import { byId, make, named } from "./dom.js";
import { drawGrid, drawStart } from "./grid.js";
import { setUpMap } from "./map.js";
import { drawBecause, drawPerson } from "./panels.js";
import { setUpSearch } from "./search.js";

let model = null;
let first = {};
let running = null;
let begun = false;

/** An id from the address, of the kind that answers have it in: integers that JavaScript would round are strings. */
const typed = (side, text) => (model.sides[side].json === "number" && /^-?\d+$/.test(text) ? Number(text) : text);

function chosen() {
  const query = new URLSearchParams(location.search);
  const watched = query.getAll("watched").map((text) => typed("item", text));
  const pick = (side) => (query.has(side) ? typed(side, query.get(side)) : first[side]?.id);
  const start = !watched.length && !query.has("user") && !query.has("item");
  return { user: watched.length ? null : pick("user"), item: pick("item"), watched, start };
}

function go(change) {
  const now = chosen();
  // on the first page nobody is asked for yet
  const next = { ...(now.start ? { watched: [] } : now), ...change };
  const query = new URLSearchParams();
  for (const side of ["user", "item"]) if (next[side] != null) query.set(side, next[side]);
  for (const id of next.watched) query.append("watched", id);
  history.pushState(null, "", `?${query}`);
  render();
}

const choose = (side, entry) => go(side === "user" ? { user: entry.id, watched: [] } : { item: entry.id });

function fail(error) {
  if (error.name === "AbortError") return;
  const box = byId("alert");
  const near = (error.near ?? []).map((entry) =>
    make("button", { type: "button", textContent: entry.label, onclick: () => choose(error.side ?? "item", entry) }));
  const again = make("button", { type: "button", textContent: "Try again", onclick: () => (begun ? render() : start()) });
  box.replaceChildren(error.message, ...(near.length ? near : [again]));
  box.hidden = false;
}

const map = setUpMap(choose);
const watchers = {
  add: (entry) => go({ watched: [...chosen().watched, entry.id] }),
  remove: (entry) => go({ watched: chosen().watched.filter((id) => id !== entry.id), user: first.user?.id }),
  clear: () => go({ watched: [], user: first.user?.id }),
};

async function answersOf(side, state, signal) {
  const rows = model.directions.filter((d) => d.query === side);
  const asked = rows.map((d) => {
    if (side === "user" && state.watched.length) return folded(d.name, state.watched, signal);
    return state[side] == null ? null : one(d.name, state[side], signal);
  });
  try {
    const answers = await Promise.all(asked);
    return Object.fromEntries(rows.map((d, n) => [d.name, answers[n]]));
  } catch (error) {
    error.side = side;
    throw error;
  }
}

function rowsOf(state, user, item) {
  const note = (answers) => Object.values(answers).find(Boolean)?.results.length ? "" : "nothing to show";
  const who = user.user2item?.query;
  const what = item.item2item?.query;
  return [
    { side: "user", title: state.watched.length ? "somebody new" : who ? named("", who).trim() : "nobody", note: note(user), answers: user },
    { side: "item", title: what ? named("", what).trim() : "nothing", note: what && what.label !== String(what.id) ? `id ${what.id}` : note(item), answers: item },
  ];
}

async function render() {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const state = chosen();
  byId("grid").ariaBusy = "true";
  if (state.start) return begin(state, signal);
  // one side may be unknown while the other answers
  const settled = await Promise.allSettled(["user", "item"].map((side) => answersOf(side, state, signal)));
  if (signal.aborted) return;
  const [user, item] = settled.map((result) => result.value ?? {});
  const failed = settled.filter((result) => result.status === "rejected");
  byId("alert").hidden = true;
  failed.forEach((result) => fail(result.reason));
  const rows = rowsOf(state, user, item);
  drawGrid(model.directions, rows, choose, (entry) => because(state, entry.id, signal));
  document.title = `${rows[0].title} × ${rows[1].title} · mfrec`;
  byId("grid").ariaBusy = "false";
  const about = item.item2item?.query ?? null;
  try {
    await Promise.all([
      person(state, about, signal),
      light(state, { ...user, ...item }),
      failed.length ? drawBecause(null) : because(state, state.item, signal),
    ]);
  } catch (error) {
    fail(error);
  }
}

/** Show the first page: nobody is asked for, so it is what is popular and who is active. */
async function begin(state, signal) {
  try {
    const answers = await Promise.all(["item", "user"].map((side) => popular(side, signal)));
    if (signal.aborted) return;
    byId("alert").hidden = true;
    drawStart(answers, choose);
    drawBecause(null);
    document.title = "mfrec explorer";
    byId("grid").ariaBusy = "false";
    await Promise.all([
      person(state, null, signal),
      map.light([], answers.flatMap(({ side, results }) => results.map(({ id }) => [side, id]))),
    ]);
  } catch (error) {
    fail(error);
  }
}

async function because(state, item, signal) {
  const who = state.watched.length
    ? state.watched.map((id) => `history=${encodeURIComponent(id)}`).join("&")
    : `user=${encodeURIComponent(state.user)}`;
  if (item == null || (state.user == null && !state.watched.length)) return drawBecause(null);
  try {
    const answer = await explain(who, item, signal);
    if (!signal.aborted) drawBecause(answer, answer.user ? named("user", answer.user) : "somebody new", choose);
  } catch (error) {
    fail(error);
  }
}

async function person(state, item, signal) {
  const known = state.watched.length ? await places("item", state.watched) : { ids: [], labels: [] };
  const watched = known.ids.map((id, n) => ({ id, label: known.labels[n] }));
  if (!signal.aborted) drawPerson(watched, item, watchers);
}

function light(state, answers) {
  const user = answers.user2item, item = answers.item2item;
  const asked = [
    ...(item ? [["item", item.query.id]] : []),
    ...(user?.query ? [["user", user.query.id]] : []),
    ...(user ? state.watched.map((id) => ["item", id]) : []),
  ];
  const found = Object.values(answers).filter(Boolean).flatMap((a) => a.results.map((r) => [a.target, r.id]));
  return map.light(asked, found);
}

function drawBanner() {
  const { version, check, counts, indexes, refused } = model;
  const recalls = indexes.flatMap(({ target, similarity, recall }) =>
    Object.entries(recall).slice(0, 1).map(([k, value]) => `${target} ${similarity} ${value.toFixed(3)} (@${k})`));
  byId("banner").replaceChildren(
    "model ", make("b", { textContent: version }),
    check ? make("span", { className: check.verdict === "good" ? "" : "refused", textContent: ` · check: ${check.verdict}` }) : "",
    ` · ${counts.users.toLocaleString("en")} users × ${counts.items.toLocaleString("en")} items × ${counts.factors} factors · index recall: `,
    recalls.join(", ") || indexes.every((i) => i.backend === "exact") ? recalls.join(", ") || "exact" : "not measured",
    refused ? make("span", { className: "refused", textContent: ` · version ${refused.version} was refused: ${refused.reason}` }) : "");
}

async function start() {
  try {
    model = await ask("/v1/model");
    drawBanner();
    first = await map.load();
    begun = true;
    await render();
  } catch (error) {
    byId("banner").textContent = "No model";
    fail(error);
  }
}

onVersion((version) => {
  // a new model was swapped in: its numbers, places and answers replace the old ones
  if (begun && model && version !== model.version) {
    model = { ...model, version };
    start();
  }
});
setUpSearch(choose, fail);
addEventListener("popstate", () => begun && render());
start();
