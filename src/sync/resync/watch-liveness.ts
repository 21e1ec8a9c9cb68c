import type { ErrorCode } from '../../errors.ts';
import { HubError } from '../../hub/port.ts';
import { HEARTBEAT_DEVICE } from '../../iot-hub/heartbeat-device.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type BeatResult, isBeatDue, withBeat } from '../../liveness/heartbeat.ts';
import { assess, type HubLiveness, type LivenessState } from '../../liveness/liveness.ts';
import { type EventReader, type Look, readerStatus, readerText, withLook } from '../../liveness/reader.ts';
import type { LivenessStore, StoredLiveness } from '../../store/state/liveness-store.ts';
import { type EpochMs, epochMs } from '../../time/epoch-ms.ts';
import type { SyncContext } from '../reconcile/sync-context.ts';

/** What the watch of a run needs in addition to the shared context. */
export interface LivenessWatch {
  readonly store: Pick<LivenessStore, 'read' | 'writeHub' | 'writeRun'>;
  /** Looks at the Event Hub and at the checkpoints. Never throws. */
  readonly look: () => Promise<Look>;
  /** Stores the evidence that this instance has collected, so that this run sees it. */
  readonly flush: () => Promise<void>;
}

/** The liveness of the hubs that this deployment reconciles. */
export type FleetLiveness = ReadonlyMap<HostName, HubLiveness>;

const CODES: Readonly<Partial<Record<LivenessState, ErrorCode>>> = {
  silent: 'BERTH_HUB_SILENT',
  late: 'BERTH_HUB_LATE',
};

/** What a run has read before it assesses. */
export interface Seen {
  readonly stored: StoredLiveness;
  readonly looked: Look;
}

/**
 * Assesses once in a run whether the twin change events of each hub arrive, writes the heartbeats that are due, and logs each change.
 */
export async function watchLiveness(
  context: Pick<SyncContext, 'fleet' | 'hosts' | 'hubs' | 'hubNow' | 'warn'>,
  { store }: LivenessWatch,
  { stored, looked }: Seen,
): Promise<FleetLiveness> {
  const { fleet, hosts, hubNow, warn } = context;
  // The tag of a heartbeat has whole milliseconds, and must be equal to the stored time.
  const now = epochMs(Math.floor(hubNow()));
  const reader = withLook(stored.reader, looked, now);
  warnOfReader(stored.reader, stored.ranAt ?? now, reader, now, warn);
  const assessed = await Promise.all(
    hosts.map(async (host) => {
      const hub = fleet.hubByHost.get(host);
      if (hub === undefined) return undefined;
      const before = stored.hubs.get(host);
      const evidence = stored.evidence.get(host) ?? new Map();
      const found = assess({ before, evidence, reader, tier: hub.tier, now });
      warnOfChange(host, before, found, warn);
      const beats = isBeatDue(found, hub.tier, now)
        ? withBeat(found.beats, await beat(host, now, context), now)
        : found.beats;
      const liveness = { ...found, beats };
      await store.writeHub(host, liveness);
      return [host, liveness] as const;
    }),
  );
  await store.writeRun(now, reader);
  return new Map(assessed.filter((each) => each !== undefined));
}

/** One heartbeat. A hub also answers 404 for the twin of a disabled identity. */
async function beat(host: HostName, at: EpochMs, { hubs }: Pick<SyncContext, 'hubs'>): Promise<BeatResult> {
  try {
    const sent = await hubs.beat(host, at);
    return sent.kind === 'noPermit' ? { kind: 'failed', why: sent.why } : { kind: 'sent' };
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    if (error.code !== 'BERTH_HUB_NOT_FOUND')
      return { kind: 'failed', why: `${error.code}: ${error.message}` };
    const why = `the hub has no identity ${HEARTBEAT_DEVICE}, or it is disabled. Run "berth hub prepare ${host}"`;
    return { kind: 'missing', why };
  }
}

/** One line for each change of the state of a hub. The first assessment is a change only if something is wrong. */
function warnOfChange(
  host: HostName,
  before: HubLiveness | undefined,
  found: HubLiveness,
  warn: SyncContext['warn'],
): void {
  const was = before?.state ?? 'quiet';
  if (was === found.state) return;
  const code = CODES[found.state];
  const ended = CODES[was];
  if (code === undefined && ended === undefined) return;
  const why = found.why === '' ? '' : `: ${found.why}`;
  warn(`${host} is ${found.state}${why}.`, {
    ...(code === undefined ? {} : { code }),
    ...(ended === undefined ? {} : { ended }),
    hub: host,
    state: found.state,
    before: was,
    since: new Date(found.since).toISOString(),
  });
}

/** One line when the reading of the Event Hub stops or goes on, and when it cannot be seen any more. */
function warnOfReader(
  before: EventReader,
  ranAt: EpochMs,
  after: EventReader,
  now: EpochMs,
  warn: SyncContext['warn'],
): void {
  const was = readerStatus(before, ranAt).kind;
  const status = readerStatus(after, now);
  if (was === status.kind) return;
  const code = codeOf(status.kind);
  const ended = codeOf(was);
  if (code === undefined && ended === undefined) return;
  const text = readerText(status);
  warn(text === '' ? 'The Event Hub is read again.' : `${text}.`, {
    ...(code === undefined ? {} : { code }),
    ...(ended === undefined ? {} : { ended }),
    ...(status.kind === 'reading' ? {} : { since: new Date(status.since).toISOString() }),
  });
}

function codeOf(status: ReturnType<typeof readerStatus>['kind']): ErrorCode | undefined {
  if (status === 'stopped') return 'BERTH_TRIGGER_STOPPED';
  return status === 'unknown' ? 'BERTH_READER_UNKNOWN' : undefined;
}
