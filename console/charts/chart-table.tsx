import { clockText } from '../words/format.ts';
import type { TimeChartProps } from './chart-props.ts';

/** The numbers of a chart, the newest first; times without any number are left out. */
export function ChartTable({ title, unit, at, series, height, format }: TimeChartProps) {
  const now = Date.now();
  const rows = at
    .map((time, index) => ({ time, values: series.map(({ values }) => values[index] ?? null) }))
    .filter(({ values }) => values.some((value) => value !== null))
    .reverse();
  return (
    <section
      class="chart-table"
      style={{ maxHeight: `${height + 60}px` }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so it takes the focus.
      tabIndex={0}
      aria-label={`${title}, ${unit}`}
    >
      <table class="table compact">
        <thead>
          <tr>
            <th scope="col">Time</th>
            {series.map(({ label }) => (
              <th key={label} scope="col" class="number">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ time, values }) => (
            <tr key={time}>
              <td class="number">{clockText(time, now)}</td>
              {values.map((value, index) => (
                <td key={series[index]?.label} class="number">
                  {format(value)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
