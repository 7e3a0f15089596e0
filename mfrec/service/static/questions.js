// What the panels ask the service: a path, and a body where it is a POST. A panel can also show it as a command.

const text = encodeURIComponent;

export function ranking(direction, asked, { k, diversity, min, seen }) {
  const options = { k };
  if (diversity) options.diversity = diversity;
  if (min !== null) options.min_score = min;
  if (seen) options.exclude_seen = false;
  const { name, query } = direction;
  if (query === "user" && asked.watched.length) return { path: `/v1/${name}`, body: { history: asked.watched, ...options } };
  return asked[query] == null ? null : { path: `/v1/${name}/${text(asked[query])}?${new URLSearchParams(options)}` };
}

export const history = (side, id, { k }) => ({ path: `/v1/history?side=${side}&id=${text(id)}&limit=${k}` });

export const popular = (side, { k }) => ({ path: `/v1/popular?side=${side}&k=${k}` });

export const lookalikes = (side, seeds, { k }) => ({ path: "/v1/lookalikes", body: { side, seeds, k } });

const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

/** The question as a command for a shell; a key is named, never written out. */
export function curl({ path, body }, keyed) {
  const words = ["curl", quoted(location.origin + path)];
  if (keyed) words.push("-H", '"x-api-key: $MFREC_API_KEY"');
  if (body) words.push("-H", "'content-type: application/json'", "-d", quoted(JSON.stringify(body)));
  return words.join(" ");
}

const field = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));

/** Results as CSV after RFC 4180. */
export function csv(results, score) {
  const rows = results.map((row, n) => [n + 1, row.id, row.label, row[score] ?? ""]);
  return [["rank", "id", "label", score], ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}
