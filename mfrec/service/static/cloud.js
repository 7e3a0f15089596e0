// Many points as pixels: one pass over typed arrays, whatever their number.

// how much a point adds to the opacity of a pixel: where many lie, it is dense
const STEP = 150;

/**
 * Paint points into the pixels of an image.
 *
 * `pixels` are its Uint32 values, little-endian RGBA; a point n lies at `x[n] * unit + left`, `top - y[n] * unit` and
 * is a disc of `size` pixels, of the colour `colours[kind[n]]` (RGB as 0xBBGGRR).
 */
export function paint({ pixels, width, height }, { x, y, kind }, colours, { unit, left, top, size }) {
  const shift = (size - 1) >> 1, middle = (size - 1) / 2;
  // pixels that each row of a disc leaves out on either side
  const inset = Array.from({ length: size }, (_, row) => Math.round(size / 2 - Math.sqrt((size / 2) ** 2 - (row - middle) ** 2)));
  for (let n = 0; n < x.length; n++) {
    const column = Math.round(x[n] * unit + left) - shift;
    const row = Math.round(top - y[n] * unit) - shift;
    if (column < 0 || row < 0 || column + size > width || row + size > height) continue;
    const colour = colours[kind[n]];
    for (let down = 0; down < size; down++) {
      const start = (row + down) * width + column;
      for (let at = start + inset[down], end = start + size - inset[down]; at < end; at++) {
        const alpha = (pixels[at] >>> 24) + STEP;
        pixels[at] = ((alpha > 255 ? 255 : alpha) << 24) | colour;
      }
    }
  }
}

/** The number of the point nearest to a place, and its squared distance; -1 where there is none nearer than `least`. */
export function nearest({ x, y }, atX, atY, least) {
  let best = -1;
  for (let n = 0; n < x.length; n++) {
    const distance = (x[n] - atX) ** 2 + (y[n] - atY) ** 2;
    if (distance < least) [best, least] = [n, distance];
  }
  return [best, least];
}

/** The bounds of points: left, right, low, high. */
export function bounds(clouds) {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { x, y } of clouds) {
    for (let n = 0; n < x.length; n++) {
      if (x[n] < left) left = x[n];
      if (x[n] > right) right = x[n];
      if (y[n] < low) low = y[n];
      if (y[n] > high) high = y[n];
    }
  }
  return left <= right ? [left, right, low, high] : [-1, 1, -1, 1];
}

/** The mean place of the points of each of so many kinds; null where there are none. */
export function centres({ x, y, kind }, count) {
  const sums = Array.from({ length: count }, () => [0, 0, 0]);
  for (let n = 0; n < x.length; n++) {
    const sum = sums[kind[n]];
    if (sum) [sum[0], sum[1], sum[2]] = [sum[0] + x[n], sum[1] + y[n], sum[2] + 1];
  }
  return sums.map(([atX, atY, many]) => (many ? [atX / many, atY / many] : null));
}
