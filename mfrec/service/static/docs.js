// Swagger UI over the OpenAPI document. FastAPI's own page starts it from an inline script, which our policy forbids.

import { ask } from "./api.js";
import { byId } from "./dom.js";

try {
  SwaggerUIBundle({ spec: await ask("/openapi.json"), dom_id: "#routes", deepLinking: true, validatorUrl: null });
} catch (error) {
  byId("alert").textContent = error.message;
  byId("alert").hidden = false;
}
