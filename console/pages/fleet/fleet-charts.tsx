import { useMemo, useState } from 'preact/hooks';
import { useApi, useBerth } from '../../api/berth.ts';
import type { Series } from '../../api/contract.ts';
import type { ChartSeries } from '../../charts/chart-props.ts';
import { type TimeColumns, timeColumns } from '../../charts/series-data.ts';
import { STATUS_COLORS, STATUS_PATTERNS } from '../../charts/status-style.ts';
import { TimeChart } from '../../charts/time-chart.tsx';
import { Answered } from '../../parts/answered.tsx';
import { Choice } from '../../parts/choice.tsx';
import { Section } from '../../parts/section.tsx';
import { countText, figureText } from '../../words/format.ts';
import { STATUS_WORDS, STATUSES } from '../../words/statuses.ts';

const RANGES = [
  { value: 'hour', label: 'Last hour', step: 'minute', hours: 1 },
  { value: 'day', label: 'Last day', step: 'hour', hours: 24 },
  { value: 'month', label: 'Last 30 days', step: 'hour', hours: 24 * 30 },
] as const;

/** Twins by status, corrections, reads and lag over time. */
export function FleetCharts() {
  const [range, setRange] = useState<(typeof RANGES)[number]>(RANGES[0]);
  const { clock } = useBerth();
  const answer = useApi<Series>(seriesRoute(range, clock.now()));
  const { body } = answer;
  const columns = useMemo(() => (body === undefined ? undefined : timeColumns(body, clock.now())), [body]);
  return (
    <Section
      title="Over time"
      note={`All hubs together, one number a${range.step === 'hour' ? 'n hour' : ' minute'}.`}
      aside={
        <Choice
          label="Time range"
          values={RANGES}
          chosen={range.value}
          onChange={(value) => setRange(RANGES.find((each) => each.value === value) ?? RANGES[0])}
        />
      }
    >
      <Answered answer={answer} what="the counts over time">
        {() => columns !== undefined && <Charts columns={columns} step={range.step} />}
      </Answered>
    </Section>
  );
}

/** The beginning of the range is even, so that the address, and with it the ETag, stays the same for a while. */
function seriesRoute({ step, hours }: (typeof RANGES)[number], now: number): string {
  if (step === 'minute') return 'series?step=minute';
  const hour = 3_600_000;
  const from = new Date(Math.floor(now / hour) * hour - (hours - 1) * hour).toISOString();
  return `series?step=hour&from=${encodeURIComponent(from)}`;
}

function Charts({ columns, step }: { readonly columns: TimeColumns; readonly step: 'minute' | 'hour' }) {
  const { at } = columns;
  const one = (label: string, values: ChartSeries['values'], color: string): readonly ChartSeries[] => [
    { label, values, color },
  ];
  const twins = STATUSES.map((status) => ({
    label: STATUS_WORDS[status].label,
    values: columns.twins[status],
    color: STATUS_COLORS[status],
    pattern: STATUS_PATTERNS[status],
  }));
  return (
    <div class="charts">
      <div class="chart-main">
        <TimeChart
          title="Twins by status"
          unit="Twins"
          explain="Stacked in the order of the legend, the first one lowest."
          at={at}
          series={twins}
          shape="stack"
          height={220}
          format={countText}
        />
      </div>
      <TimeChart
        title="Corrections"
        unit={`Writes a ${step}`}
        explain="Patches of twins that Berth has written."
        at={at}
        series={one('corrections', columns.corrections, '--accent')}
        shape="lines"
        height={130}
        format={shortCount}
      />
      <TimeChart
        title="Reads per report"
        unit="Reads for each applied event"
        explain="0 is best: Berth decided from its snapshots."
        at={at}
        series={one('reads per report', columns.readsPerEvent, '--contest')}
        shape="lines"
        height={130}
        format={(value) => figureText(value)}
      />
      <TimeChart
        title="Lag"
        unit="Seconds"
        explain="How long events waited in the Event Hub, on average."
        at={at}
        series={one('lag', columns.lagSeconds, '--warn')}
        shape="lines"
        height={130}
        format={secondsText}
      />
    </div>
  );
}

/** Ticks between whole numbers are left out. */
function shortCount(value: number | null | undefined): string {
  return value !== null && value !== undefined && !Number.isInteger(value) ? '' : countText(value);
}

function secondsText(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : `${figureText(value)} s`;
}
