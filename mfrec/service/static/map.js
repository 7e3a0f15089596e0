// The map: both sides in one plane; what is asked for is ringed, its results are lit, what a search finds is circled.

import { chart, places, segments } from "./api.js";
import { bounds, centres, nearest, paint } from "./cloud.js";
import { byId, make, named } from "./dom.js";

const SIDES = ["item", "user"];
// pixels within which a point is pointed at, the closest look, and what one step of zoom or pan is
const NEAR = 12, CLOSEST = 64, ZOOM = 1.5, PAN = 60;
const NONE = -1;
const EMPTY = () => ({ ids: [], labels: [], x: new Float32Array(), y: new Float32Array(), kind: new Int32Array(), at: new Map() });

const joined = (first, second) => {
  const all = new first.constructor(first.length + second.length);
  all.set(first), all.set(second, first.length);
  return all;
};

/** `choose(side, entry)` is called for what is clicked, `moved(view)` and `coloured(side)` for what the address keeps. */
export function setUpMap({ choose, moved, coloured }) {
  const canvas = byId("map"), pointed = byId("pointed"), colouring = byId("colour");
  let clouds = { item: EMPTY(), user: EMPTY() }, names = {}, whole = [-1, 1, -1, 1];
  let asked = [], results = [], found = [];
  let view = null, by = "side", frame = 0, timer = 0;

  /** How places become pixels: the whole map fits at zoom 1, both directions at the same scale. */
  function scale() {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const [left, right, low, high] = whole;
    const [x, y, zoom] = view ?? [(left + right) / 2, (low + high) / 2, 1];
    const fit = Math.min((width - 24) / Math.max(right - left, 1e-6), (height - 24) / Math.max(high - low, 1e-6));
    const unit = fit * zoom;
    return { width, height, unit, view: [x, y, zoom], left: width / 2 - x * unit, top: height / 2 + y * unit };
  }
  const pixel = ({ unit, left, top }, cloud, n) => [cloud.x[n] * unit + left, top - cloud.y[n] * unit];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  // neighbouring numbers get colours far apart
  const hue = (n) => `hsl(${(n * 137.5 + 200) % 360} 62% ${dark.matches ? 64 : 40}%)`;

  /** A colour as the pixels of an image hold it. */
  function packed(pen, colour) {
    pen.fillStyle = colour;
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(pen.fillStyle.slice(at, at + 2), 16));
    return (blue << 16) | (green << 8) | red;
  }

  function draw() {
    frame = 0;
    // a finger moves a map that is zoomed, and scrolls the page over one that is not
    canvas.style.touchAction = view ? "none" : "pan-y";
    const at = scale();
    const ratio = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(at.width * ratio), Math.round(at.height * ratio)];
    const pen = canvas.getContext("2d");
    if (!canvas.width || !canvas.height) return;
    const image = pen.createImageData(canvas.width, canvas.height);
    const target = { pixels: new Uint32Array(image.data.buffer), width: canvas.width, height: canvas.height };
    const size = Math.max(1, Math.round((at.view[2] > 4 ? 4 : 3) * ratio));
    const fitted = { unit: at.unit * ratio, left: at.left * ratio, top: at.top * ratio, size };
    // what is coloured by segments lies above the rest
    for (const side of by === "item" ? ["user", "item"] : SIDES) {
      const cloud = clouds[side], grey = packed(pen, css("line"));
      if (by === side) {
        paint(target, cloud, names[side].map((_, n) => packed(pen, hue(n))).concat(grey), fitted);
      } else {
        paint(target, { ...cloud, kind: new Uint8Array(cloud.x.length) }, [by === "side" ? packed(pen, css(side)) : grey], fitted);
      }
    }
    pen.putImageData(image, 0, 0);
    pen.scale(ratio, ratio);
    mark(pen, at, found, 8, { stroke: () => css("focus"), width: 2.5 });
    mark(pen, at, results, 4.5, { fill: css, stroke: () => css("panel"), width: 1.5 });
    mark(pen, at, asked, 6.5, { fill: css, stroke: () => css("text"), width: 2.5 });
    const taken = [];
    for (const [side, id] of asked) {
      const n = clouds[side].at.get(id);
      if (n !== undefined) write(pen, named(side, entry(side, n)), ...pixel(at, clouds[side], n), at, taken, css("text"), 11);
    }
    if (by !== "side") drawNames(pen, at, taken);
  }

  function mark(pen, at, pairs, radius, { fill, stroke, width }) {
    for (const [side, id] of pairs) {
      const n = clouds[side].at.get(id);
      if (n === undefined) continue;
      pen.beginPath();
      pen.arc(...pixel(at, clouds[side], n), radius, 0, 7);
      if (fill) pen.fillStyle = fill(side), pen.fill();
      [pen.strokeStyle, pen.lineWidth] = [stroke(side), width];
      pen.stroke();
    }
  }

  /** Write the names of the segments at their centres, the largest first. */
  function drawNames(pen, at, taken) {
    centres(clouds[by], names[by].length).forEach((centre, n) => {
      if (!centre) return;
      const [x, y] = [centre[0] * at.unit + at.left, at.top - centre[1] * at.unit];
      if (x > 0 && y > 0 && x < at.width && y < at.height) write(pen, names[by][n], x, y, at, taken, hue(n), 0);
    });
  }

  /** Write beside a place, or a little above or below; a text that would still cover another is left out. */
  function write(pen, text, x, y, { width, height }, taken, colour, beside) {
    pen.font = "600 12px system-ui, sans-serif";
    const most = width < 420 ? 22 : 34;
    const short = text.length > most ? `${text.slice(0, most - 1)}…` : text;
    const long = pen.measureText(short).width;
    const start = beside ? (x + beside + long > width ? x - beside - long : x + beside) : x - long / 2;
    const left = Math.max(2, Math.min(width - long - 2, start));
    const free = (top) => top > 8 && top < height - 8 && !taken.some(([l, r, t]) => left < r && left + long > l && Math.abs(t - top) < 15);
    const top = [0, 16, -16, 32, -32].map((shift) => y + shift).find(free);
    if (top === undefined) return;
    taken.push([left, left + long, top]);
    [pen.textAlign, pen.lineWidth, pen.lineJoin, pen.strokeStyle, pen.fillStyle] = ["left", 4, "round", css("panel"), colour];
    pen.strokeText(short, left, top + 4);
    pen.fillText(short, left, top + 4);
  }

  const soon = () => (frame ||= requestAnimationFrame(draw));
  const entry = (side, n) => ({ id: clouds[side].ids[n], label: clouds[side].labels[n] });

  /** What lies nearest to a place of the canvas; what is lit is easier to point at. */
  function pointedAt(x, y) {
    const at = scale();
    let [best, least] = [null, (NEAR / at.unit) ** 2];
    const place = [(x - at.left) / at.unit, (at.top - y) / at.unit];
    for (const side of SIDES) {
      const [n, distance] = nearest(clouds[side], ...place, least);
      if (n >= 0) [best, least] = [[side, n], distance];
    }
    for (const [side, id] of [...asked, ...results, ...found]) {
      const n = clouds[side].at.get(id);
      if (n === undefined) continue;
      const distance = ((clouds[side].x[n] - place[0]) ** 2 + (clouds[side].y[n] - place[1]) ** 2) / 4;
      if (distance < least) [best, least] = [[side, n], distance];
    }
    return best;
  }
  function tell(best) {
    const segment = best && names[best[0]]?.[clouds[best[0]].kind[best[1]]];
    pointed.textContent = best ? `${named(best[0], entry(...best))}${segment ? ` · ${segment}` : ""}` : "";
    canvas.style.cursor = best ? "pointer" : "grab";
  }

  function look(x, y, zoom) {
    const [left, right, low, high] = whole;
    const within = (value, least, most) => Math.max(least, Math.min(most, value));
    const near = within(zoom, 1, CLOSEST);
    view = near === 1 ? null : [within(x, left, right), within(y, low, high), near];
    soon();
    clearTimeout(timer);
    timer = setTimeout(() => moved(view), 200);
  }
  /** Zoom about a place of the canvas, which stays where it is. */
  function zoom(by, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const { unit, left, top, width, height, view: [, , now] } = scale();
    const place = [(x - left) / unit, (top - y) / unit];
    const next = Math.max(1, Math.min(CLOSEST, now * by));
    const scaled = (unit / now) * next;
    look(place[0] - (x - width / 2) / scaled, place[1] + (y - height / 2) / scaled, next);
  }
  function pan(right, down) {
    const { unit, view: [x, y, zoomed] } = scale();
    look(x + right / unit, y - down / unit, zoomed);
  }

  const middle = () => pointedAt(canvas.clientWidth / 2, canvas.clientHeight / 2);
  const pick = (best) => best && choose(best[0], entry(...best));
  const keys = {
    "+": () => zoom(ZOOM), "=": () => zoom(ZOOM), "-": () => zoom(1 / ZOOM), 0: () => look(0, 0, 1),
    ArrowLeft: () => pan(-PAN, 0), ArrowRight: () => pan(PAN, 0), ArrowUp: () => pan(0, -PAN), ArrowDown: () => pan(0, PAN),
    Enter: () => pick(middle()),
  };
  canvas.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
    tell(middle());
  });
  for (const [id, act] of [["closer", keys["+"]], ["farther", keys["-"]], ["whole", keys[0]]]) byId(id).addEventListener("click", act);
  canvas.addEventListener("wheel", (event) => {
    // at the whole map, scrolling on goes on with the page
    if (event.deltaY > 0 && !view) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 300), event.offsetX, event.offsetY);
  }, { passive: false });

  let drag = null, dragged = false;
  canvas.addEventListener("pointerdown", (event) => {
    drag = [event.clientX, event.clientY];
    dragged = false;
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag || !event.buttons) return tell(pointedAt(event.offsetX, event.offsetY));
    const [right, down] = [event.clientX - drag[0], event.clientY - drag[1]];
    if (!dragged && Math.hypot(right, down) < 4) return;
    if (!dragged) canvas.setPointerCapture(event.pointerId);
    dragged = true;
    drag = [event.clientX, event.clientY];
    pan(-right, -down);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (drag = null));
  canvas.addEventListener("pointerleave", () => (pointed.textContent = ""));
  canvas.addEventListener("click", (event) => {
    if (!dragged) pick(pointedAt(event.offsetX, event.offsetY));
    dragged = false;
  });
  colouring.addEventListener("change", () => coloured(colouring.value));
  new ResizeObserver(soon).observe(canvas);
  dark.addEventListener("change", soon);

  /** Add points; what is in no segment is of one kind more than there are. */
  function add(answer) {
    const cloud = clouds[answer.side], before = cloud.ids.length;
    clouds[answer.side] = {
      ids: cloud.ids.concat(answer.ids), labels: cloud.labels.concat(answer.labels), at: cloud.at,
      x: joined(cloud.x, Float32Array.from(answer.x)), y: joined(cloud.y, Float32Array.from(answer.y)),
      kind: joined(cloud.kind, answer.segments ? Int32Array.from(answer.segments) : new Int32Array(answer.ids.length).fill(NONE))
        .map((n) => (n === NONE ? names[answer.side]?.length ?? NONE : n)),
    };
    answer.ids.forEach((id, n) => cloud.at.set(id, before + n));
  }
  async function complete(pairs) {
    for (const side of SIDES) {
      const missing = pairs.filter(([s, id]) => s === side && !clouds[side].at.has(id)).map(([, id]) => id);
      if (missing.length) add(await places(side, [...new Set(missing)].slice(0, 100)));
    }
    soon();
  }

  return {
    /** Fetch the most active of both sides, and the names of their segments where there are any. */
    async load(most) {
      const answers = await Promise.all(SIDES.map((side) => chart(side, most)));
      const saved = answers.filter((answer) => answer.segments).map((answer) => answer.side);
      const told = await Promise.all(saved.map((side) => segments(side)));
      names = Object.fromEntries(told.map((one) => [one.side, one.segments.map((segment) => segment.name)]));
      clouds = { item: EMPTY(), user: EMPTY() };
      answers.forEach(add);
      whole = bounds(SIDES.map((side) => clouds[side]));
      colouring.replaceChildren(...["side", ...saved].map((value) =>
        make("option", { value, textContent: value === "side" ? "side" : `segments of ${value}s` })));
      colouring.parentElement.hidden = !saved.length;
      await complete([...asked, ...results]);
    },
    /** Take over the part of the map and the colours that the address asks for. */
    show(wanted, colour) {
      clearTimeout(timer);
      view = wanted;
      by = names[colour] ? colour : colour !== "side" && names.item ? "item" : "side";
      colouring.value = by;
      byId("map").dataset.colour = by;
      soon();
    },
    /** Ring and light pairs of side and id, fetching places that the map lacks. */
    async light(query, lit) {
      [asked, results] = [query, lit];
      await complete([...query, ...lit]);
    },
    /** Circle what a search finds. */
    async circle(pairs) {
      found = pairs;
      canvas.dataset.found = pairs.length;
      await complete(pairs);
    },
  };
}
