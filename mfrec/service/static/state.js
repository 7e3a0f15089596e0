// What is chosen, as it stands in the address: links, back and forward then work by themselves.

/** What a panel shows unless somebody chose otherwise. */
export const USUAL = Object.freeze({ k: 10, diversity: 0, min: null, seen: false, filter: "" });

const READ = {
  k: (text) => Math.max(1, Math.trunc(Number(text)) || USUAL.k),
  diversity: (text) => Math.min(1, Math.max(0, Number(text) || 0)),
  min: (text) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : null),
  seen: (text) => text === "1",
  filter: (text) => text,
};

/** An id from the address, of the kind that answers have it in: integers that JavaScript would round are strings. */
const typed = (sides, side, text) => (sides[side].json === "number" && /^-?\d+$/.test(text) ? Number(text) : text);

/** Read the address. `sides` is that of /v1/model; nothing is filled in. */
export function read(sides, query = new URLSearchParams(location.search)) {
  const one = (name, side = name) => (query.has(name) ? typed(sides, side, query.get(name)) : null);
  const all = (name, side) => query.getAll(name).map((text) => typed(sides, side, text));
  const panels = {};
  for (const [name, text] of query) {
    const [panel, option] = name.split(".");
    if (Object.hasOwn(READ, option ?? "")) panels[panel] = { ...panels[panel], [option]: READ[option](text) };
  }
  const like = query.get("like") === "item" ? "item" : "user";
  const view = (query.get("view") ?? "").split(",").map(Number);
  return {
    user: one("user"), item: one("item"), watched: all("watched", "item"), why: one("why", "item"),
    like, seeds: all("seed", like), panels,
    view: view.length === 3 && view.every(Number.isFinite) ? view : null,
    colour: query.get("colour"),
  };
}

/** Write a state as the part of an address behind the path. */
export function write(state) {
  const query = new URLSearchParams();
  for (const name of ["user", "item"]) if (state[name] != null) query.set(name, state[name]);
  for (const id of state.watched) query.append("watched", id);
  if (state.why != null) query.set("why", state.why);
  if (state.like !== "user") query.set("like", state.like);
  for (const id of state.seeds) query.append("seed", id);
  for (const [panel, options] of Object.entries(state.panels)) {
    for (const [name, value] of Object.entries(options)) {
      if (value !== USUAL[name]) query.set(`${panel}.${name}`, value === true ? "1" : value);
    }
  }
  if (state.view) query.set("view", state.view.map((part) => Number(part.toPrecision(4))).join(","));
  if (state.colour) query.set("colour", state.colour);
  return `?${query}`;
}

export const optionsOf = (state, panel) => ({ ...USUAL, ...state.panels[panel] });
