import { useMemo } from 'preact/hooks';
import { labelSides } from './labels.ts';
import {
  landPoints,
  type MapPoint,
  type MapView,
  type Place,
  pointOf,
  radiusOf,
  viewOf,
} from './projection.ts';

/** One region on the map. */
export interface MapRegion {
  readonly name: string;
  readonly place: Place;
  readonly devices: number;
  /** Lines of its label, the first one in bold. */
  readonly lines: readonly string[];
  readonly isDraining: boolean;
}

/** Devices that move from one region to another, as a dashed arrow. */
export interface MapMove {
  readonly from: string;
  readonly to: string;
}

const RATIO = 2.4;
/** The size of a label on a map that is 1000 wide, as `style/map.css` draws it. */
const LABEL = { width: 150, height: 40 };

/** Regions by their place on earth; the area of a circle grows with its devices. */
export function WorldMap({
  label,
  regions,
  moves,
}: {
  readonly label: string;
  readonly regions: readonly MapRegion[];
  readonly moves: readonly MapMove[];
}) {
  const view = viewOf(
    regions.map(({ place }) => pointOf(place)),
    { ratio: RATIO, margin: 22, least: 110 },
  );
  const land = useLand(view);
  const unit = view.width / 1_000;
  const most = Math.max(...regions.map(({ devices }) => devices), 0);
  const points = regions.map(({ place }) => pointOf(place));
  const onFrame = points.map(({ x, y }) => ({ x: (x - view.x) / unit, y: (y - view.y) / unit }));
  const sides = labelSides(onFrame, LABEL, 20, { width: 1_000, height: 1_000 / RATIO });
  const indexOf = (name: string) => regions.findIndex((region) => region.name === name);
  return (
    <div class="map" role="img" aria-label={label}>
      <svg viewBox={`${view.x} ${view.y} ${view.width} ${view.height}`} aria-hidden="true">
        <defs>
          <marker
            id="move-end"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="5"
            markerHeight="5"
            orient="auto"
          >
            <path d="M0 0l8 4-8 4z" class="map-arrow" />
          </marker>
        </defs>
        <path class="map-land" d={land} stroke-width={view.width / 210} />
        {moves.map(({ from, to }) => (
          <path
            key={`${from} ${to}`}
            class="map-move"
            d={arc(points[indexOf(from)], points[indexOf(to)])}
            stroke-width={2 * unit}
            stroke-dasharray={`${6 * unit} ${5 * unit}`}
            marker-end="url(#move-end)"
          />
        ))}
        {regions.map(({ name, devices, isDraining }, index) => (
          <circle
            key={name}
            class={isDraining ? 'map-region draining' : 'map-region'}
            cx={points[index]?.x}
            cy={points[index]?.y}
            r={radiusOf(devices, most, 22 * unit, 5 * unit)}
            stroke-width={1.5 * unit}
          />
        ))}
      </svg>
      {regions.map(({ name, lines: [first, ...more] }, index) => {
        const { x, y } = onFrame[index] ?? { x: 0, y: 0 };
        return (
          <div
            key={name}
            class={`map-label ${sides[index]}`}
            style={{ left: `${x / 10}%`, top: `${(y * RATIO) / 10}%` }}
            aria-hidden="true"
          >
            <b>{first}</b>
            {more.map((line) => (
              <span key={line}>{line}</span>
            ))}
          </div>
        );
      })}
    </div>
  );
}

/** All land of the view as one path of dots. */
function useLand(view: MapView): string {
  const all = useMemo(landPoints, []);
  return all
    .filter(({ x, y }) => x > view.x && x < view.x + view.width && y > view.y && y < view.y + view.height)
    .map(({ x, y }) => `M${x} ${y}h0`)
    .join('');
}

function arc(from: MapPoint | undefined, to: MapPoint | undefined): string {
  if (from === undefined || to === undefined) return '';
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 - Math.abs(to.x - from.x) / 5 - 2 };
  return `M${from.x} ${from.y}Q${middle.x} ${middle.y} ${to.x} ${to.y}`;
}
