import { listHref } from '../../address/route.ts';
import type { FleetStatus, HubStatus } from '../../api/contract.ts';
import type { ChangeKind } from '../../commands/change-form.ts';
import { ChangeButton } from '../../commands/change-layer.tsx';
import { DataTable, type TableColumn } from '../../parts/data-table.tsx';
import { Meter } from '../../parts/meter.tsx';
import { Badge } from '../../parts/status-badge.tsx';
import { agoText, countText, hubName, shareText, shortCountText, timeOf } from '../../words/format.ts';
import { bandOf, targetOf } from '../../words/share.ts';
import { NOT_IN_SYNC, twinTotals } from '../../words/statuses.ts';
import { ShareBar } from './share-bar.tsx';

/** Each hub: state, actual against expected share, capacity, budget, trust, twins, and the changes that can be made. */
export function HubTable({ fleet }: { readonly fleet: FleetStatus }) {
  const devices = fleet.hubs.reduce((sum, hub) => sum + (hub.devices ?? 0), 0);
  const widest = Math.max(
    ...fleet.hubs.map(({ share }) => {
      const target = targetOf(share, devices);
      return Math.max(bandOf(target)?.high ?? target.share, share.actual);
    }),
    0.01,
  );
  return (
    <DataTable label="Hubs" rows={fleet.hubs} keyOf={({ host }) => host} columns={columns(devices, widest)} />
  );
}

const STATE_WORDS: Readonly<Record<HubStatus['state'], { tone: 'good' | 'warn' | 'idle'; explain: string }>> =
  {
    active: { tone: 'good', explain: 'It receives new devices.' },
    cordoned: { tone: 'warn', explain: 'It receives no new devices. Devices on it stay.' },
    draining: {
      tone: 'warn',
      explain: 'It receives no new devices. Devices on it move when they register again.',
    },
  };

function columns(devices: number, widest: number): readonly TableColumn<HubStatus>[] {
  return [
    {
      title: 'Hub',
      cell: ({ host, region }) => (
        <div class="stacked">
          <a data-row-link class="nowrap" href={listHref('devices', { hub: host })} title={host}>
            {hubName(host)}
          </a>
          <span class="muted">{region}</span>
        </div>
      ),
    },
    {
      title: 'State',
      explain: 'What allocation may do with the hub, and whether its calls succeed.',
      cell: stateCell,
    },
    {
      title: 'Share of devices',
      explain:
        'The part of all devices on this hub, against the part that is expected by weights, latencies and rules. The grey band is ± one standard deviation: chance alone explains shares within it two times in three. Above 500 devices, the expected part follows from the weights alone.',
      isWide: true,
      cell: ({ host, share }) => <ShareBar host={host} share={share} devices={devices} widest={widest} />,
    },
    {
      title: 'Devices',
      explain: 'Device identities on the hub, and how much of its capacity they use.',
      isNumber: true,
      cell: ({ devices: count, capacity }) => (
        <div class="stacked">
          <span>{countText(count)}</span>
          <span class="muted nowrap">
            {count === null
              ? 'not counted yet'
              : `${shareText(count / capacity)} of ${shortCountText(capacity)}`}
          </span>
        </div>
      ),
    },
    {
      title: 'Messages today',
      explain:
        'Messages of the daily quota of the hub that Berth has reserved since 00:00 UTC, and its limit (budget.daily).',
      cell: ({ host, sync }) =>
        sync === null ? (
          '–'
        ) : (
          <Meter
            label={`Messages of ${hubName(host)} today`}
            part={sync.messagesToday / sync.messagesLimit}
            text={`${shortCountText(sync.messagesToday)} of ${shortCountText(sync.messagesLimit)}`}
          />
        ),
    },
    {
      title: 'Events',
      explain:
        'Whether the twin change events of the hub arrive. Silent: events of Berth’s own writes are missing. Late: Berth is behind. Read first: an audit found a difference, so Berth reads each twin before it decides.',
      cell: eventsCell,
    },
    {
      title: 'Not in sync',
      explain: 'Twins of the hub that are not in sync, of all of its twins.',
      isNumber: true,
      cell: ({ host, twins, twinsCountedAt }) => {
        if (twins === undefined || timeOf(twinsCountedAt) === undefined) return 'not counted yet';
        const { all, notInSync } = twinTotals(twins);
        return (
          <div class="stacked">
            {notInSync === 0 ? (
              <span>0</span>
            ) : (
              <a href={listHref('devices', { hub: host, status: NOT_IN_SYNC })}>{countText(notInSync)}</a>
            )}
            <span class="muted">of {countText(all)}</span>
          </div>
        );
      },
    },
    { title: 'Actions', hideTitle: true, cell: (hub) => <HubActions hub={hub} /> },
  ];
}

const LIVENESS_TONES: Readonly<
  Record<NonNullable<HubStatus['liveness']>['state'], 'good' | 'warn' | 'bad' | 'idle'>
> = { live: 'good', quiet: 'idle', late: 'warn', silent: 'bad' };

function eventsCell({ liveness, sync }: HubStatus) {
  return (
    <div class="badges">
      {liveness !== null && (
        <Badge
          tone={LIVENESS_TONES[liveness.state]}
          {...(liveness.why === '' ? {} : { explain: liveness.why })}
        >
          {liveness.state}
        </Badge>
      )}
      {sync?.untrusted ? (
        <Badge tone="warn" explain={sync.untrusted.why}>
          read first
        </Badge>
      ) : (
        <Badge tone="good">trusted</Badge>
      )}
    </div>
  );
}

function stateCell({ state, health, failures, overrides, countedAt }: HubStatus) {
  const { tone, explain } = STATE_WORDS[state];
  return (
    <div class="badges">
      <Badge tone={tone} explain={explain}>
        {state}
      </Badge>
      {health === 'unhealthy' && (
        <Badge tone="bad" explain={`${failures} calls in a row failed. New devices go to other hubs.`}>
          unhealthy
        </Badge>
      )}
      {[overrides.state, overrides.weight].map(
        (override, index) =>
          override !== null && (
            <Badge
              key={index === 0 ? 'state' : 'weight'}
              tone="info"
              explain={`${index === 0 ? 'State' : 'Weight'} set by ${override.author}: ${override.reason}. It expires ${agoText(timeOf(override.expiresAt) ?? 0, Date.now())}.`}
            >
              {index === 0 ? 'overridden' : 'weight overridden'}
            </Badge>
          ),
      )}
      {countedAt === null && <span class="muted">not seen yet</span>}
    </div>
  );
}

function HubActions({ hub: { host, overrides, pause } }: { readonly hub: HubStatus }) {
  const isOverridden = overrides.state !== null || overrides.weight !== null;
  const scope = { kind: 'hub', host } as const;
  const choices: readonly ChangeKind[] = [
    { kind: 'setHub', host },
    ...(isOverridden ? [{ kind: 'clearHub', host } as const] : []),
    { kind: pause === null ? 'pause' : 'resume', scope },
    { kind: 'resync', host },
  ];
  return (
    <ChangeButton choices={choices} label={`Change ${hubName(host)}`}>
      Change …
    </ChangeButton>
  );
}
