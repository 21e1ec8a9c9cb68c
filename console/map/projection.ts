import { LAND_BITS, LAND_COLUMNS, LAND_ROWS, LAND_STEP, LAND_TOP } from './land.ts';

/** A place on earth, in degrees. */
export interface Place {
  readonly lat: number;
  readonly lon: number;
}

/** A point of the map, in its own units: one unit is one degree, and the origin is the upper left corner. */
export interface MapPoint {
  readonly x: number;
  readonly y: number;
}

export const MAP_WIDTH = LAND_COLUMNS * LAND_STEP;
export const MAP_HEIGHT = LAND_ROWS * LAND_STEP;

/** Where a place lies on the map (equirectangular). */
export function pointOf({ lat, lon }: Place): MapPoint {
  return { x: lon + 180, y: LAND_TOP - lat };
}

/** The middle of each grid cell that is land. */
export function landPoints(): readonly MapPoint[] {
  const bytes = Uint8Array.from(atob(LAND_BITS), (character) => character.charCodeAt(0));
  const points: MapPoint[] = [];
  for (let cell = 0; cell < LAND_ROWS * LAND_COLUMNS; cell += 1) {
    if (((bytes[cell >> 3] ?? 0) & (128 >> (cell & 7))) === 0) continue;
    points.push({
      x: ((cell % LAND_COLUMNS) + 0.5) * LAND_STEP,
      y: (Math.floor(cell / LAND_COLUMNS) + 0.5) * LAND_STEP,
    });
  }
  return points;
}

/** A part of the map. */
export interface MapView {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * The part of the map that shows all points with a margin, in the given ratio of width to height; never smaller than
 * `least` degrees wide, so that one region is not shown without its surroundings. It never leaves the map to the east or west; the whole world
 * is higher than the map, and gets empty sea above and below.
 */
export function viewOf(
  points: readonly MapPoint[],
  { ratio, margin, least }: { readonly ratio: number; readonly margin: number; readonly least: number },
): MapView {
  if (points.length === 0) return around({ x: MAP_WIDTH / 2, y: MAP_HEIGHT / 2 }, MAP_WIDTH, ratio);
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  const left = Math.min(...xs);
  const right = Math.max(...xs);
  const top = Math.min(...ys);
  const bottom = Math.max(...ys);
  const wanted = Math.max(right - left + 2 * margin, (bottom - top + 2 * margin) * ratio, least);
  return around({ x: (left + right) / 2, y: (top + bottom) / 2 }, Math.min(wanted, MAP_WIDTH), ratio);
}

function around({ x, y }: MapPoint, width: number, ratio: number): MapView {
  const height = width / ratio;
  return {
    x: clamp(x - width / 2, 0, MAP_WIDTH - width),
    y: height > MAP_HEIGHT ? (MAP_HEIGHT - height) / 2 : clamp(y - height / 2, 0, MAP_HEIGHT - height),
    width,
    height,
  };
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}

/** The radius of a circle whose area grows with a count, in units of the map; `most` is the greatest count. */
export function radiusOf(count: number, most: number, largest: number, least: number): number {
  return most <= 0 ? least : Math.max(least, largest * Math.sqrt(count / most));
}
