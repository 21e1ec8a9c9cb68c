import { ArmError } from '../arm/port.ts';
import { type ResourceId, resourceName } from '../arm/resource-id.ts';
import { BerthError } from '../errors.ts';
import { type JsonObject, ownMember } from '../json/json.ts';
import { type EpochMs, plus } from '../time/epoch-ms.ts';
import { differingPaths, type IsOwn } from './difference.ts';
import type { Session } from './session.ts';
import { writable } from './writable.ts';

/** Pauses between two looks at a resource, and between two tries of a write. */
const LOOK_MS = 5_000;
const TRY_MS = 20_000;

/** One write of a resource. */
export interface ResourceWrite {
  readonly id: ResourceId;
  readonly apiVersion: string;
  /** The resource as it was read. Its ETag guards the write. */
  readonly before: JsonObject;
  readonly body: JsonObject;
  readonly isOwn: IsOwn;
}

/**
 * Writes a resource, waits until Azure has carried the write out, reads it again, and compares everything that is not
 * Berth's.
 *
 * @returns the resource afterwards
 * @throws ArmError, BerthError `BERTH_CONNECT_CHANGED_ELSEWHERE`, `BERTH_CONNECT_UNFINISHED`
 */
export async function writeResource(session: Session, write: ResourceWrite): Promise<JsonObject> {
  const { id, apiVersion, before, body, isOwn } = write;
  const { etag } = before;
  await session.arm.put(id, apiVersion, writable(body), typeof etag === 'string' ? etag : undefined);
  const after = await settled(session, write);
  const paths = differingPaths(body, after, isOwn);
  if (paths.length === 0) return after;
  throw new BerthError(
    'BERTH_CONNECT_CHANGED_ELSEWHERE',
    `${resourceName(id)} differs after Berth's write from what it was, at ${paths.join(', ')}. Another writer or Azure itself changed it. Compare it with your own records, such as the activity log, and correct it.`,
    { details: paths.map((path) => ({ path, message: 'is not what it was before the write' })) },
  );
}

/** Waits until Azure has carried out a write. */
async function settled(session: Session, { id, apiVersion }: ResourceWrite): Promise<JsonObject> {
  const until = plus(session.now(), session.patienceMs);
  for (;;) {
    const resource = await session.arm.get(id, apiVersion);
    const state = stateOf(resource ?? {});
    if (resource !== undefined && state === 'ready') return resource;
    if (state === 'failed' || session.now() >= until) {
      throw new BerthError(
        'BERTH_CONNECT_UNFINISHED',
        `${resourceName(id)} has not become ready after a write (${statesText(resource ?? {})}): look at it in the portal, then run the same command again.`,
      );
    }
    session.onWaiting(`${resourceName(id)}: waiting until Azure has carried out the write.`);
    await session.wait(LOOK_MS);
  }
}

/** `provisioningState` and `state` of hubs and DPS (Microsoft.Devices types). */
function stateOf(resource: JsonObject): 'ready' | 'failed' | 'changing' {
  const states = statesOf(resource).map((state) => state.toLowerCase());
  if (states.some((state) => /failed|canceled|suspended/.test(state))) return 'failed';
  return states.every((state) => state === 'succeeded' || state === 'active') ? 'ready' : 'changing';
}

function statesOf({ properties }: JsonObject): readonly string[] {
  return ['provisioningState', 'state'].flatMap((member) => {
    const state = ownMember(properties, member);
    return typeof state === 'string' && state !== '' ? [state] : [];
  });
}

function statesText(resource: JsonObject): string {
  return statesOf(resource).join(', ') || 'no state';
}

/** Why a try was given up. */
export type Attempt = 'done' | 'again';

/**
 * Tries until an attempt is done. After a failure that can pass, it waits and tries again: another writer was first, Azure is
 * busy, or a new role does not work yet.
 *
 * @param mayBeRole whether a refusal may mean that a new role does not work yet
 * @throws ArmError, BerthError `BERTH_CONNECT_UNFINISHED` when patience ends
 */
export async function untilDone(
  session: Session,
  name: string,
  attempt: () => Promise<Attempt>,
  mayBeRole: () => boolean,
): Promise<void> {
  const until = plus(session.now(), session.patienceMs);
  for (;;) {
    try {
      if ((await attempt()) === 'done') return;
    } catch (error) {
      const pause = error instanceof ArmError ? pauseAfter(error, mayBeRole()) : undefined;
      if (pause === undefined) throw error;
      await pauseOrEnd(session, name, error as ArmError, pause, until);
    }
  }
}

async function pauseOrEnd(
  session: Session,
  name: string,
  { message }: ArmError,
  pause: number,
  until: EpochMs,
): Promise<void> {
  if (plus(session.now(), pause) > until) {
    throw new BerthError(
      'BERTH_CONNECT_UNFINISHED',
      `${name}: ${message} Berth tried for ${Math.round(session.patienceMs / 60_000)} minutes. Correct the cause, or wait, and run the same command again.`,
    );
  }
  session.onWaiting(`${name}: ${message} Trying again in ${Math.round(pause / 1_000)} s.`);
  await session.wait(pause);
}

/** The pause after a failure, in milliseconds; undefined if another try cannot help. */
function pauseAfter({ code, status, retryAfterMs }: ArmError, mayBeRole: boolean): number | undefined {
  switch (code) {
    case 'BERTH_AZURE_PRECONDITION_FAILED':
      return LOOK_MS;
    case 'BERTH_AZURE_THROTTLED':
    case 'BERTH_AZURE_TIMEOUT':
    case 'BERTH_AZURE_UNAVAILABLE':
      return Math.max(retryAfterMs ?? 0, TRY_MS);
    case 'BERTH_AZURE_REFUSED':
      // 409: Azure carries out another write of this resource.
      return status === 409 || mayBeRole ? TRY_MS : undefined;
    default:
      return undefined;
  }
}
