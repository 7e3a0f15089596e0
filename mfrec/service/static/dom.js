// Elements without markup in strings: labels come from data and must never be read as HTML.

/** Make an element: properties starting with "on" are listeners, "data" and "aria" are groups, the rest plain. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "aria") for (const [key, text] of Object.entries(value)) element.setAttribute(`aria-${key}`, text);
    else if (name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** A score as short as it is useful. */
export const shown = (score) => (Math.abs(score) >= 100 ? score.toFixed(0) : score.toFixed(3));

/** "user 42" for what has no label of its own, otherwise the label. */
export const named = (side, entry) => (String(entry.id) === entry.label ? `${side} ${entry.id}` : entry.label);

/** The width of a bar for a part of 0 to 1; its number, and its id, stand beyond the longest bar. */
export const barWidth = (part, id) => `calc((100% - ${3.6 + (id ? 0.9 + 0.45 * id.length : 0)}rem) * ${Math.max(0, Math.min(1, part))})`;
