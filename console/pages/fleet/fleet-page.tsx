import { listHref } from '../../address/route.ts';
import { useApi } from '../../api/berth.ts';
import type { FleetStatus, QueuePage } from '../../api/contract.ts';
import { ChangeButton } from '../../commands/change-layer.tsx';
import { Answered } from '../../parts/answered.tsx';
import { PageHead, Section } from '../../parts/section.tsx';
import { StatusBadge } from '../../parts/status-badge.tsx';
import { Term } from '../../parts/term.tsx';
import { Ago } from '../../parts/time.tsx';
import { countedText, countText, shareText } from '../../words/format.ts';
import { lastChange } from '../../words/last-change.ts';
import { STATUSES, twinTotals } from '../../words/statuses.ts';
import { EdgeDeployments } from './edge-table.tsx';
import { FleetCharts } from './fleet-charts.tsx';
import { FleetNotices } from './fleet-notices.tsx';
import { HubTable } from './hub-table.tsx';
import { MapSection } from './map-section.tsx';

/** The fleet at a glance: is everything in sync, what changed last, and how each hub stands. */
export function FleetPage() {
  return (
    <Answered answer={useApi<FleetStatus>('fleet')} what="the fleet">
      {(fleet) => <FleetAtAGlance fleet={fleet} />}
    </Answered>
  );
}

function FleetAtAGlance({ fleet }: { readonly fleet: FleetStatus }) {
  const { body: queue } = useApi<QueuePage>('queue');
  return (
    <>
      <PageHead
        title="Fleet"
        lead={headline(fleet)}
        aside={
          fleet.pause === null ? (
            <ChangeButton choices={[{ kind: 'pause', scope: { kind: 'fleet' } }]}>
              Pause writes …
            </ChangeButton>
          ) : undefined
        }
      />
      <FleetNotices fleet={fleet} />
      <Figures fleet={fleet} queue={queue} />
      <Section
        title="Hubs"
        note="Share of devices: the bar is what each hub has, the mark is what is expected by weights, latencies and rules."
        flush
      >
        <HubTable fleet={fleet} />
      </Section>
      {fleet.edge !== null && <EdgeDeployments edge={fleet.edge} />}
      <FleetCharts />
      <MapSection fleet={fleet} />
    </>
  );
}

function headline(fleet: FleetStatus): string {
  const { all, notInSync } = twinTotals(fleet.twins);
  const hubs = countedText(fleet.hubs.length, 'hub');
  if (all === 0) return `${hubs}, and no twin is stored yet. Twins appear when devices register and report.`;
  if (notInSync === 0) return `All ${countText(all)} twins on ${hubs} are in sync with their policies.`;
  return `${countText(all - notInSync)} of ${countText(all)} twins on ${hubs} are in sync; ${countText(notInSync)} ${notInSync === 1 ? 'is' : 'are'} not.`;
}

function Figures({ fleet, queue }: { readonly fleet: FleetStatus; readonly queue: QueuePage | undefined }) {
  const { all, notInSync } = twinTotals(fleet.twins);
  const devices = fleet.hubs.reduce((sum, hub) => sum + (hub.devices ?? 0), 0);
  const change = lastChange(fleet);
  const statuses = STATUSES.filter((status) => (fleet.twins[status] ?? 0) > 0);
  return (
    <div class="figures">
      <Figure
        label="Devices"
        explain="Device identities on all hubs, counted once a minute."
        value={countText(devices)}
        href="#/devices"
      />
      <div class="figure">
        <p class="figure-label">
          <Term explain="Twins (devices and modules) whose owned properties all have the wanted value, as a part of all twins.">
            Twins in sync
          </Term>
        </p>
        <p class="figure-value number">
          {all === 0 ? '–' : shareText((all - notInSync) / all)} <small>of {countText(all)}</small>
        </p>
        {notInSync > 0 && (
          <ul class="figure-list">
            {statuses.map((status) => (
              <li key={status}>
                <a href={listHref('devices', { status })} class="number">
                  {countText(fleet.twins[status])}
                </a>
                <StatusBadge status={status} />
              </li>
            ))}
          </ul>
        )}
      </div>
      <Figure
        label="Need attention"
        explain="Twins that Berth cannot bring in sync without a person: rejected, contested, suspended, unknown, or drifted without being held."
        value={`${countText(fleet.attention.items.length)}${fleet.attention.next === null ? '' : '+'}`}
        href="#/attention"
        tone={fleet.attention.items.length > 0 ? 'warn' : 'good'}
      />
      <Figure
        label="Work queue"
        explain="Twins that Berth reconciles again: now, or at a planned time."
        value={
          queue === undefined ? '–' : `${countText(queue.items.length)}${queue.next === null ? '' : '+'}`
        }
        href="#/queue"
      />
      <Figure
        label="Dead letters"
        explain="Events of the last seven days that Berth could not read."
        value={`${countText(fleet.deadLetters.count)}${fleet.deadLetters.more ? '+' : ''}`}
        href="#/dead-letters"
        tone={fleet.deadLetters.count > 0 ? 'warn' : 'good'}
      />
      <div class="figure figure-wide">
        <p class="figure-label">
          <Term explain="The newest of: a policy with new content, a pause, a hub that drains.">
            Last change
          </Term>
        </p>
        {change === undefined ? (
          <p class="muted">No change is known yet.</p>
        ) : (
          <>
            <p class="figure-title">
              {change.what}, <Ago at={change.at} />
            </p>
            <p class="muted">
              {change.effect.join(' ')}{' '}
              {change.policy === undefined ? (
                <a href="#/policies">Show the policies</a>
              ) : (
                <a href={listHref('devices', { policy: change.policy })}>Show its twins</a>
              )}
            </p>
          </>
        )}
      </div>
    </div>
  );
}

function Figure({
  label,
  explain,
  value,
  href,
  tone,
}: {
  readonly label: string;
  readonly explain: string;
  readonly value: string;
  readonly href: string;
  readonly tone?: 'good' | 'warn';
}) {
  return (
    <div class="figure">
      <p class="figure-label">
        <Term explain={explain}>{label}</Term>
      </p>
      <p class={`figure-value number ${tone === 'warn' ? 'tone-text-warn' : ''}`}>
        <a href={href} aria-label={`${label}: ${value}`}>
          {value}
        </a>
      </p>
    </div>
  );
}
