// The OpenAPI document, readable: pages of the usual kind load their code from other hosts.

import { ask } from "./api.js";
import { byId, make } from "./dom.js";

const bounds = (schema) => ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "default"]
  .filter((name) => schema[name] !== undefined && schema[name] !== null)
  .map((name) => `${name} ${JSON.stringify(schema[name])}`).join(", ");

const flat = (schema = {}) => (schema.anyOf ? { ...schema, ...schema.anyOf.find((s) => s.type !== "null") } : schema);

function table(rows) {
  const lines = rows.map(([name, schema, text, needed]) => make("tr", {},
    make("td", {}, make("code", { textContent: name })), make("td", { textContent: flat(schema).type ?? (flat(schema).enum ?? []).join(" | ") }),
    make("td", { textContent: [needed ? "required" : "", bounds(flat(schema)), text ?? ""].filter(Boolean).join(" · ") })));
  return make("table", {}, make("tbody", {}, ...lines));
}

function route(path, method, operation, schemas) {
  const parameters = (operation.parameters ?? []).map((p) => [p.name, p.schema, p.description, p.required]);
  const body = operation.requestBody?.content["application/json"].schema.$ref?.split("/").pop();
  const fields = Object.entries(schemas[body]?.properties ?? {}).map(([name, schema]) => [name, schema, schema.description]);
  const statuses = Object.entries(operation.responses).map(([status, r]) => `${status} ${r.description}`).join(" · ");
  return make("article", { className: "panel" },
    make("h3", { textContent: `${method.toUpperCase()} ${path}` }),
    make("p", { textContent: operation.description ?? operation.summary }),
    table([...parameters, ...fields]), make("p", { className: "quiet", textContent: statuses }));
}

try {
  const document_ = await ask("/openapi.json");
  const { schemas } = document_.components;
  byId("routes").append(make("p", { textContent: document_.info.description }),
    make("pre", { textContent: `curl ${location.origin}/v1/user2item/42?k=5` }),
    ...Object.entries(document_.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => route(path, method, operation, schemas))));
} catch (error) {
  byId("alert").textContent = error.message;
  byId("alert").hidden = false;
}
