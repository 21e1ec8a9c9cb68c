import { ownMember } from '../json/json.ts';
import { type EpochMs, epochMs, laterOf, plus } from '../time/epoch-ms.ts';
import { latest, millisecondsOf, NEVER } from '../time/instant.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';

/*
 * Whether the runtime of an IoT Edge device is connected. Only the connection state of `$edgeHub` shows it; the one of
 * `$edgeAgent` is always Disconnected (how-to-monitor-module-twins). Twin events do not carry it, so Berth asks the hub, in one
 * query for many devices.
 */

const MINUTE_MS = 60_000;
/** A connected runtime takes a manifest in seconds. */
const UNANSWERED_MS = 2 * MINUTE_MS;
/** How often the hub is asked about a device that has nothing to answer and reports nothing. */
const QUIET_MS = 30 * MINUTE_MS;
/** An answer of the hub says nothing about a later time. */
const BELIEVED_MS = 2 * QUIET_MS;

type HubTwin = Pick<
  Snapshot,
  'desired' | 'desiredVersion' | 'reported' | 'runtime' | 'lifeAt' | 'activity' | 'asOf'
>;

/** When the hub must be asked about the connection of `$edgeHub`. Undefined: the device has no manifest. */
export function connectionAskAt({
  desired,
  desiredVersion,
  reported,
  runtime,
  lifeAt,
  activity,
  asOf,
}: HubTwin): EpochMs | undefined {
  if (Object.keys(desired).length === 0) return undefined;
  const askedAt = activity?.askedAt;
  const desiredAt = millisecondsOf(runtime?.desiredAt ?? asOf);
  if (ownMember(reported, 'lastDesiredVersion') !== desiredVersion) {
    if (askedAt === undefined || askedAt < desiredAt) return plus(desiredAt, UNANSWERED_MS);
    const asks = activity?.asks ?? 0;
    return epochMs(Math.ceil(plus(askedAt, Math.min(UNANSWERED_MS * 2 ** Math.min(asks, 10), QUIET_MS))));
  }
  const quietSince = laterOf(lifeAt === undefined ? desiredAt : millisecondsOf(lifeAt), askedAt ?? desiredAt);
  return epochMs(Math.ceil(plus(quietSince, QUIET_MS)));
}

/**
 * Whether `$edgeHub` is connected, by the last answer of the hub. Undefined: not known. A report after a negative answer shows
 * that the device is back.
 */
export function isConnected(
  agent: Pick<Snapshot, 'lifeAt'>,
  hub: Pick<Snapshot, 'activity' | 'lifeAt'> | undefined,
  now: EpochMs,
): boolean | undefined {
  const { activity } = hub ?? {};
  if (activity === undefined || now - activity.askedAt > BELIEVED_MS) return undefined;
  if (activity.isConnected) return true;
  const lifeAt = latest(agent.lifeAt ?? NEVER, hub?.lifeAt ?? NEVER);
  return millisecondsOf(lifeAt) > activity.askedAt ? undefined : false;
}
