import type { MapPoint } from './projection.ts';

/** Where a label stands, seen from its point. */
export type Side = 'right' | 'left' | 'above' | 'below';

export interface LabelSize {
  readonly width: number;
  readonly height: number;
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const SIDES: readonly Side[] = ['right', 'left', 'above', 'below'];

/**
 * A side for each label, so that labels overlap each other, the points and the edges as little as possible. The first
 * points choose first.
 *
 * @param size of a label, in the units of the points
 * @param gap between a point and its label
 */
export function labelSides(
  points: readonly MapPoint[],
  size: LabelSize,
  gap: number,
  frame: { readonly width: number; readonly height: number },
): readonly Side[] {
  const taken: Box[] = points.map(({ x, y }) => ({
    left: x - gap,
    right: x + gap,
    top: y - gap,
    bottom: y + gap,
  }));
  return points.map((point, index) => {
    const others = taken.filter((_, other) => other !== index);
    const costs = SIDES.map((side) => {
      const box = boxOf(point, side, size, gap);
      return others.reduce((sum, other) => sum + overlap(box, other), outside(box, frame));
    });
    const best = costs.indexOf(Math.min(...costs));
    const side = SIDES[best] ?? 'right';
    taken.push(boxOf(point, side, size, gap));
    return side;
  });
}

function boxOf({ x, y }: MapPoint, side: Side, { width, height }: LabelSize, gap: number): Box {
  switch (side) {
    case 'right':
      return { left: x + gap, right: x + gap + width, top: y - height / 2, bottom: y + height / 2 };
    case 'left':
      return { left: x - gap - width, right: x - gap, top: y - height / 2, bottom: y + height / 2 };
    case 'above':
      return { left: x - width / 2, right: x + width / 2, top: y - gap - height, bottom: y - gap };
    case 'below':
      return { left: x - width / 2, right: x + width / 2, top: y + gap, bottom: y + gap + height };
  }
}

function overlap(one: Box, other: Box): number {
  const width = Math.min(one.right, other.right) - Math.max(one.left, other.left);
  const height = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
  return width > 0 && height > 0 ? width * height : 0;
}

function outside(box: Box, { width, height }: LabelSize): number {
  const whole = (box.right - box.left) * (box.bottom - box.top);
  return whole - overlap(box, { left: 0, top: 0, right: width, bottom: height });
}
