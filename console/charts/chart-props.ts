import type { Pattern } from './patterns.ts';

/** One line or area of a chart. */
export interface ChartSeries {
  readonly label: string;
  /** One number for each time; `null`: nothing was recorded. */
  readonly values: readonly (number | null)[];
  /** A colour of `style/tokens.css`, such as `--good`. */
  readonly color: string;
  readonly pattern?: Pattern;
}

export interface TimeChartProps {
  readonly title: string;
  /** What the vertical axis counts, with its unit. */
  readonly unit: string;
  /** What the chart means, in a sentence. */
  readonly explain: string;
  /** Milliseconds since the epoch, evenly spaced. */
  readonly at: readonly number[];
  readonly series: readonly ChartSeries[];
  readonly shape: 'lines' | 'stack';
  /** Of the canvas, in pixels. */
  readonly height: number;
  format(value: number | null | undefined): string;
}
