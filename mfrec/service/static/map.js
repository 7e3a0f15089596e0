// The map: both sides in one plane; what is asked for is ringed, its results are lit.

import { places } from "./api.js";
import { byId, named } from "./dom.js";

const SIDES = ["item", "user"];
const NEAR = 12;

export function setUpMap(choose) {
  const canvas = byId("map");
  const pointed = byId("pointed");
  let points = { item: new Map(), user: new Map() };
  let asked = [], results = [];

  /** Fit what there is into the canvas, both directions at the same scale. */
  function scale() {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const all = SIDES.flatMap((side) => [...points[side].values()]);
    const reach = (axis) => all.reduce(([low, high], p) => [Math.min(low, p[axis]), Math.max(high, p[axis])], [1, -1]);
    const [[left, right], [low, high]] = all.length ? [reach("x"), reach("y")] : [[-1, 1], [-1, 1]];
    const unit = Math.min((width - 24) / Math.max(right - left, 1e-6), (height - 24) / Math.max(high - low, 1e-6));
    return {
      width, height,
      x: (v) => width / 2 + (v - (left + right) / 2) * unit,
      y: (v) => height / 2 - (v - (low + high) / 2) * unit,
    };
  }
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

  function draw() {
    const { width, height, x, y } = scale();
    const ratio = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const dot = (p, radius) => {
      pen.beginPath();
      pen.arc(x(p.x), y(p.y), radius, 0, 7);
    };
    for (const side of SIDES) {
      pen.fillStyle = colour(side);
      pen.globalAlpha = 0.3;
      for (const p of points[side].values()) dot(p, 1.7), pen.fill();
    }
    pen.globalAlpha = 1;
    for (const [side, id] of results) {
      const p = points[side].get(id);
      if (!p) continue;
      pen.fillStyle = colour(side);
      pen.strokeStyle = colour("panel");
      pen.lineWidth = 1.5;
      dot(p, 4.5), pen.fill(), pen.stroke();
    }
    pen.font = "600 12px system-ui, sans-serif";
    const taken = [];
    for (const [side, id] of asked) {
      const p = points[side].get(id);
      if (!p) continue;
      pen.fillStyle = colour(side);
      pen.strokeStyle = colour("text");
      pen.lineWidth = 2.5;
      dot(p, 6.5), pen.fill(), pen.stroke();
      // a text that would cover another is left out; pointing at the place shows it
      if (taken.some(([left, top]) => Math.abs(left - x(p.x)) < 190 && Math.abs(top - y(p.y)) < 15)) continue;
      taken.push([x(p.x), y(p.y)]);
      write(pen, named(side, p).slice(0, 30), x(p.x), y(p.y), width);
    }
  }

  function write(pen, text, left, top, width) {
    const ends = left > width * 0.55;
    pen.textAlign = ends ? "right" : "left";
    pen.lineWidth = 4;
    pen.strokeStyle = colour("panel");
    pen.strokeText(text, left + (ends ? -11 : 11), top + 4);
    pen.fillStyle = colour("text");
    pen.fillText(text, left + (ends ? -11 : 11), top + 4);
  }

  function nearest(event) {
    const { x, y } = scale();
    let best = null, least = NEAR ** 2;
    const lit = new Set([...asked, ...results].map(([side, id]) => points[side].get(id)));
    for (const side of SIDES) {
      for (const p of points[side].values()) {
        // what is lit is easier to hit
        const distance = ((x(p.x) - event.offsetX) ** 2 + (y(p.y) - event.offsetY) ** 2) / (lit.has(p) ? 4 : 1);
        if (distance < least) [best, least] = [[side, p], distance];
      }
    }
    return best;
  }

  const add = (answer) => answer.ids.forEach((id, n) =>
    points[answer.side].set(id, { id, label: answer.labels[n], x: answer.x[n], y: answer.y[n] }));

  canvas.addEventListener("pointermove", (event) => {
    const found = nearest(event);
    pointed.textContent = found ? named(...found) : "";
    canvas.style.cursor = found ? "pointer" : "crosshair";
  });
  canvas.addEventListener("pointerleave", () => (pointed.textContent = ""));
  canvas.addEventListener("click", (event) => {
    const found = nearest(event);
    if (found) choose(...found);
  });
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  return {
    /** Fetch the most active of both sides; returns the first of each. */
    async load() {
      points = { item: new Map(), user: new Map() };
      const answers = await Promise.all(SIDES.map((side) => places(side)));
      answers.forEach(add);
      draw();
      return Object.fromEntries(answers.map((a) => [a.side, a.ids.length ? { id: a.ids[0], label: a.labels[0] } : null]));
    },
    /** Ring and light pairs of side and id, fetching places that the map lacks. */
    async light(query, found) {
      [asked, results] = [query, found];
      for (const side of SIDES) {
        const missing = [...query, ...found].filter(([s, id]) => s === side && !points[side].has(id)).map(([, id]) => id);
        if (missing.length) add(await places(side, missing.slice(0, 100)));
      }
      draw();
    },
  };
}
