import { useEffect, useId, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { useTheme } from '../parts/theme.tsx';
import { clockText, NOT_KNOWN } from '../words/format.ts';
import type { ChartSeries, TimeChartProps } from './chart-props.ts';
import { ChartTable } from './chart-table.tsx';
import { LegendSwatch } from './legend-swatch.tsx';
import { patternFill } from './patterns.ts';
import { lastNumber, stacked } from './series-data.ts';

/** A chart over time with its legend, and the same numbers as a table. The arrow keys read it point by point. */
export function TimeChart(props: TimeChartProps) {
  const { title, unit, explain, at, series, height, format } = props;
  const [index, setIndex] = useState<number | undefined>(undefined);
  const [isTable, setIsTable] = useState(false);
  const id = useId();
  const shown = index ?? lastOf(series);
  const now = Date.now();
  const isEmpty = series.every(({ values }) => lastNumber(values) === undefined);
  const time = shown === undefined ? undefined : at[shown];
  return (
    <figure class="chart">
      <figcaption class="chart-head">
        <div>
          <h3 id={id}>{title}</h3>
          <p class="note">
            {unit}. {explain}
          </p>
        </div>
        <button
          type="button"
          class="link-button"
          aria-pressed={isTable}
          aria-label={`${title} as a table`}
          onClick={() => setIsTable(!isTable)}
        >
          {isTable ? 'Chart' : 'Table'}
        </button>
      </figcaption>
      {isTable ? (
        <ChartTable {...props} />
      ) : isEmpty ? (
        <p class="chart-empty muted" style={{ minHeight: `${height}px` }}>
          Nothing is recorded for this time yet. A first number appears within two minutes.
        </p>
      ) : (
        <>
          <Plot {...props} labelledBy={id} onIndex={setIndex} />
          <ul class="legend" aria-live="off">
            <li class="legend-time number">
              {time === undefined ? '' : clockText(time, now).replace(/:\d\d$/, '')}
            </li>
            {series.map(({ label, color, pattern, values }) => (
              <li key={label}>
                <LegendSwatch color={color} pattern={pattern ?? 'solid'} />
                <span>{label}</span>
                <b class="number">{shown === undefined ? NOT_KNOWN : format(values[shown])}</b>
              </li>
            ))}
          </ul>
        </>
      )}
    </figure>
  );
}

function lastOf(series: readonly ChartSeries[]): number | undefined {
  const found = series.flatMap(({ values }) => lastNumber(values)?.index ?? []);
  return found.length === 0 ? undefined : Math.max(...found);
}

/** The canvas. It is made again when the theme or the kind of series changes, and gets new data otherwise. */
function Plot({
  title,
  unit,
  at,
  series,
  shape,
  height,
  format,
  labelledBy,
  onIndex,
}: TimeChartProps & {
  readonly labelledBy: string;
  onIndex(index: number | undefined): void;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const theme = useTheme();
  const kind = `${shape} ${series.map(({ label }) => label).join()} ${theme} ${height}`;
  const data = plotData(at, series, shape);

  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const made = new uPlot(
      plotOptions({ series, shape, height, format, width: element.clientWidth, onIndex, element }),
      data,
      element,
    );
    plot.current = made;
    const sizes = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    sizes.observe(element);
    return () => {
      sizes.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [kind]);
  useEffect(() => plot.current?.setData(data), [at, ...series.map(({ values }) => values)]);

  return (
    <div
      ref={frame}
      class="plot"
      role="img"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys read the chart, so it takes the focus.
      tabIndex={0}
      aria-labelledby={labelledBy}
      aria-description={`${title}, ${unit}. The arrow keys read it point by point; the button Table shows all numbers.`}
      onKeyDown={(event) => {
        if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
        event.preventDefault();
        const made = plot.current;
        if (made === undefined) return;
        const before = made.cursor.idx ?? lastOf(series) ?? 0;
        const next = Math.max(0, Math.min(at.length - 1, before + (event.key === 'ArrowLeft' ? -1 : 1)));
        made.setCursor({ left: made.valToPos((at[next] ?? 0) / 1_000, 'x'), top: 10 });
        onIndex(next);
      }}
      onBlur={() => onIndex(undefined)}
    />
  );
}

function plotData(
  at: readonly number[],
  series: readonly ChartSeries[],
  shape: TimeChartProps['shape'],
): uPlot.AlignedData {
  const columns = series.map(({ values }) => values);
  const drawn = shape === 'stack' ? [...stacked(columns)].reverse() : columns;
  return [at.map((time) => time / 1_000), ...drawn.map((column) => [...column])];
}

function plotOptions({
  series,
  shape,
  height,
  width,
  format,
  onIndex,
  element,
}: Pick<TimeChartProps, 'series' | 'shape' | 'height' | 'format'> & {
  readonly width: number;
  readonly element: HTMLElement;
  onIndex(index: number | undefined): void;
}): uPlot.Options {
  const styles = getComputedStyle(element);
  const color = (name: string) => styles.getPropertyValue(name).trim();
  const surface = color('--surface');
  const axis: uPlot.Axis = {
    stroke: color('--muted'),
    font: `11px ${styles.fontFamily}`,
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
    gap: 6,
  };
  // The highest sum of a stack is drawn first, and the lower ones over it.
  const drawn = shape === 'stack' ? [...series].reverse() : series;
  return {
    width,
    height,
    padding: [10, 8, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: shape === 'lines' } },
    legend: { show: false },
    scales: { y: { range: (_, __, most) => [0, niceCeiling(most)] } },
    axes: [
      {
        ...axis,
        values: (_, ticks) => ticks.map((tick) => hourText(tick * 1_000, ticks)),
        space: 64,
        size: 26,
      },
      { ...axis, values: (_, ticks) => ticks.map((tick) => format(tick)), size: 48, space: 30 },
    ],
    series: [
      {},
      ...drawn.map(({ label, color: name, pattern }): uPlot.Series => {
        const stroke = color(name);
        return {
          label,
          stroke,
          width: shape === 'stack' ? 1 : 1.75,
          points: { show: (self, index) => shape === 'lines' && isAlone(self, index), size: 5 },
          ...(shape === 'stack'
            ? { fill: () => patternFill(pattern ?? 'solid', { color: stroke, surface }, devicePixelRatio) }
            : {}),
        };
      }),
    ],
    hooks: { setCursor: [(self) => onIndex(self.cursor.idx ?? undefined)] },
  };
}

/** Lines without a neighbour would not be seen. */
function isAlone(self: uPlot, index: number): boolean {
  const values = self.data[index] ?? [];
  return values.filter((value) => value !== null).length < 3;
}

/** The end of an axis that begins at 0. */
function niceCeiling(most: number | null): number {
  if (most === null || !Number.isFinite(most) || most <= 0) return 1;
  return most * 1.08;
}

function hourText(at: number, ticks: readonly number[]): string {
  const time = new Date(at);
  const stepS = (ticks[1] ?? 0) - (ticks[0] ?? 0);
  if (stepS >= 86_400) return time.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  return time.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}
