// Requests: the key, the errors as one sentence, and word of the version that answered.

const KEY = "mfrec-key";
let heard = () => {};

/** An error that a person can read; `near` are ids to try instead. */
export class Problem extends Error {
  constructor(status, sentence, near = []) {
    super(sentence);
    this.status = status;
    this.near = near;
  }
}

/** Call back with the version of every answer. */
export function onVersion(callback) {
  heard = callback;
}

export async function ask(path, { body, signal, retry = true } = {}) {
  const headers = {};
  const key = sessionStorage.getItem(KEY);
  if (key) headers["x-api-key"] = key;
  if (body) headers["content-type"] = "application/json";
  let response;
  try {
    const method = body ? "POST" : "GET";
    response = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The service does not answer. Is it running?");
  }
  if (response.status === 401 && retry) {
    await askForKey();
    return ask(path, { body, signal, retry: false });
  }
  const version = response.headers.get("mfrec-version");
  if (version) heard(version);
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, content.detail ?? `The service answered ${response.status}.`, content.near);
  return content;
}

let asking = null;

/** Ask for the key once, however many requests want it. */
function askForKey() {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("key");
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(KEY, document.getElementById("secret").value);
      asking = null;
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

const text = encodeURIComponent;

export const keyed = () => Boolean(sessionStorage.getItem(KEY));

/** Ask a question; of many rankings it is the first. */
export async function answer({ path, body }, signal) {
  const found = await ask(path, { body, signal });
  return found.rankings ? { ...found.rankings[0], version: found.version } : found;
}

export const search = (side, typed, limit, signal) => ask(`/v1/search?side=${side}&limit=${limit}&q=${text(typed)}`, { signal });

export const places = (side, ids) => ask(`/v1/map?side=${side}${ids.map((id) => `&id=${text(id)}`).join("")}`);

export const chart = (side, limit) => ask(`/v1/map?side=${side}&limit=${limit}`);

export const segments = (side) => ask(`/v1/segments?side=${side}`);

export const explain = (who, item, signal) => ask(`/v1/explain?${who}&item=${text(item)}&limit=8`, { signal });
