import { describe, expect, test } from '@jest/globals';
import { labelSides } from '../../console/map/labels.ts';
import {
  landPoints,
  MAP_HEIGHT,
  MAP_WIDTH,
  pointOf,
  radiusOf,
  viewOf,
} from '../../console/map/projection.ts';
import table from '../../src/regions/azure-regions.json' with { type: 'json' };

const OPTIONS = { ratio: 2.4, margin: 22, least: 110 };
const PLACES = Object.values(table.coordinates).map(([lat = 0, lon = 0]) => ({ lat, lon }));

describe('the map of regions', () => {
  test('every Azure region lies on the map', () => {
    for (const place of PLACES) {
      const { x, y } = pointOf(place);
      expect(x > 0 && x < MAP_WIDTH && y > 0 && y < MAP_HEIGHT).toBe(true);
    }
  });

  test('land is where it is: the middle of Europe, Africa, Brazil and Australia, and not the oceans', () => {
    const isLand = (lat: number, lon: number) => {
      const { x, y } = pointOf({ lat, lon });
      return landPoints().some((point) => Math.abs(point.x - x) <= 1.25 && Math.abs(point.y - y) <= 1.25);
    };

    const land = [isLand(50, 12), isLand(5, 22), isLand(-10, -52), isLand(-25, 134), isLand(40, -100)];
    expect(land).toEqual([true, true, true, true, true]);
    expect([isLand(35, -40), isLand(0, -140), isLand(-30, 80)]).toEqual([false, false, false]);
  });

  test.each([
    ['one region', PLACES.slice(0, 1)],
    ['all regions', PLACES],
    ['no region', []],
    [
      'two regions far apart',
      [
        { lat: 52, lon: -170 },
        { lat: -40, lon: 175 },
      ],
    ],
  ])('the view of %s lies on the map and shows each of them', (_, places) => {
    const points = places.map(pointOf);

    const view = viewOf(points, OPTIONS);

    expect(view.x).toBeGreaterThanOrEqual(0);
    expect(view.x + view.width).toBeLessThanOrEqual(MAP_WIDTH);
    expect(view.width / view.height).toBeCloseTo(OPTIONS.ratio);
    expect(view.width).toBeGreaterThanOrEqual(OPTIONS.least);
    for (const { x, y } of points) {
      expect(x >= view.x && x <= view.x + view.width).toBe(true);
      expect(y >= view.y && y <= view.y + view.height).toBe(true);
    }
  });

  test('the area of a circle grows with the devices', () => {
    expect(radiusOf(100, 100, 20, 4)).toBe(20);
    expect(radiusOf(25, 100, 20, 4)).toBe(10);
    expect(radiusOf(0, 100, 20, 4)).toBe(4);
    expect(radiusOf(0, 0, 20, 4)).toBe(4);
  });

  test('labels of neighbours stand on different sides, and inside of the map', () => {
    const frame = { width: 1_000, height: 400 };
    const size = { width: 150, height: 40 };

    expect(
      labelSides(
        [
          { x: 480, y: 100 },
          { x: 530, y: 100 },
        ],
        size,
        20,
        frame,
      ),
    ).toEqual(['left', 'right']);
    expect(labelSides([{ x: 980, y: 100 }], size, 20, frame)).toEqual(['left']);
    expect(labelSides([{ x: 20, y: 100 }], size, 20, frame)).toEqual(['right']);
  });
});
