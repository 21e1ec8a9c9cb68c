import { useApi } from '../../api/berth.ts';
import type { DeviceHistory, DeviceMoment } from '../../api/contract.ts';
import { Answered } from '../../parts/answered.tsx';
import { Icon, type IconName } from '../../parts/icons.tsx';
import { Empty, Section } from '../../parts/section.tsx';
import { Ago, At, LocalTimes } from '../../parts/time.tsx';
import { countedText } from '../../words/format.ts';
import { timelineEntry } from '../../words/history.ts';

const ICONS: Readonly<Record<DeviceMoment['kind'], IconName>> = {
  decision: 'arrow',
  seen: 'device',
  write: 'pen',
  change: 'swap',
  report: 'events',
  status: 'eye',
};

/** Decisions, writes, changes by others and reports, the newest first; above them, what Berth does next. */
export function DeviceTimeline({
  id,
  next,
  nextAt,
}: {
  readonly id: string;
  /** What Berth does next, in words. */
  readonly next: string | undefined;
  readonly nextAt: string | undefined;
}) {
  const answer = useApi<DeviceHistory>(`devices/${encodeURIComponent(id)}/history`);
  const { body } = answer;
  return (
    <Section title="Time line" note="The newest first.">
      <Answered answer={answer} what="the history">
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="Nothing is known of its past." />
          ) : (
            <ol class="timeline">
              {next !== undefined && (
                <li class="moment next">
                  <span class="moment-icon">
                    <Icon name="clock" />
                  </span>
                  <div>
                    <b>
                      Next: <LocalTimes text={next} />
                    </b>
                    {nextAt !== undefined && (
                      <p class="muted">
                        <Ago at={nextAt} />
                      </p>
                    )}
                  </div>
                </li>
              )}
              {items.map((moment, index) => {
                const { at, kind, title, detail } = timelineEntry(moment);
                return (
                  <li key={`${at} ${kind} ${index}`} class={`moment ${kind}`}>
                    <span class="moment-icon">
                      <Icon name={ICONS[kind]} />
                    </span>
                    <div>
                      <b>{title}</b>
                      <p class="muted">{detail}</p>
                      <p class="muted">
                        <At at={at} />, <Ago at={at} />
                      </p>
                    </div>
                  </li>
                );
              })}
            </ol>
          )
        }
      </Answered>
      {body !== undefined && body.more > 0 && (
        <p class="note">{countedText(body.more, 'older moment')} not shown.</p>
      )}
    </Section>
  );
}
