import { app } from '@azure/functions';
import type { Override } from '../allocation/conditions.ts';
import { type HubOverview, hubOverviews, moveOverviews } from '../allocation/hub-overview.ts';
import { BerthError } from '../errors.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import type { Instance } from '../instance/instance.ts';
import { pauseOf } from '../store/control.ts';
import { type PartitionKey, partitionsOf } from '../store/keys.ts';
import type { Attention, StateCounts } from '../store/twin-store.ts';
import { TWIN_STATES } from '../twin/shadow.ts';
import { answeringErrors, type HttpHandler, jsonAnswer } from './http-answer.ts';

const DEFAULT_PAGE = 100;
const LONGEST_PAGE = 1_000;
/** Dead letters of so many days are counted, up to so many. */
const LETTER_DAYS = 7;
const MOST_LETTERS = 1_000;

/** The fleet at a glance: hubs and their shares, twins by state, and who needs a person. */
export function registerFleetStatus(instance: Instance): void {
  app.http('fleetStatus', {
    methods: ['GET'],
    authLevel: 'function',
    route: 'fleet',
    handler: fleetStatus(instance),
  });
}

/**
 * Query: `top` (1 to 1000, default 100) and `after` (from `attention.next`) page through the attention list.
 */
export function fleetStatus(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const page = pageOf(request.query.get('top'), request.query.get('after'));
    const fleet = instance.fleet.current();
    const { stores } = instance;
    const now = instance.now();
    const [control, conditions, strangers, attention, deadLetters, hubs] = await Promise.all([
      stores.control.read(),
      stores.conditions.read(now),
      stores.strangers.list(),
      attentionPage(instance, fleet, page),
      countLetters(instance, now),
      Promise.all(fleet.hubs.map(async (hub) => ({ hub, counted: await stores.twins.counts(hub.host) }))),
    ]);
    const counts = new Map(hubs.map(({ hub, counted }) => [hub.host, counted]));
    const describe = ({ overrides, countedAt, devices, isHealthy, ...hub }: HubOverview) => {
      const counted = counts.get(hub.host);
      return {
        ...hub,
        devices: devices ?? null,
        countedAt: isoTime(countedAt),
        health: isHealthy ? 'healthy' : 'unhealthy',
        writes: pauseOf(control, hub.host) === undefined ? 'on' : 'paused',
        twins: counted?.states,
        twinsCountedAt: isoTime(counted?.countedAt),
        overrides: { state: describeOverride(overrides.state), weight: describeOverride(overrides.weight) },
      };
    };
    return jsonAnswer(200, {
      revision: fleet.revision,
      problems: instance.fleet.problems,
      writes: control.fleet === undefined ? 'on' : 'paused',
      pausedPolicies: Object.keys(control.policies),
      hubs: hubOverviews(fleet, conditions, now).map(describe),
      moves: moveOverviews(fleet, conditions, now).map((move) => ({ ...move, since: isoTime(move.since) })),
      twins: addUp(hubs.map(({ counted }) => counted.states)),
      attention,
      strangers,
      deadLetters,
    });
  });
}

function describeOverride(override: Override<unknown> | undefined) {
  return override === undefined ? null : { ...override, expiresAt: isoTime(override.expiresAt) };
}

interface Page {
  readonly top: number;
  /** The partition to begin with, and the last row of it that has been seen. */
  readonly partition: number;
  readonly after: string | undefined;
}

function pageOf(top: string | null, after: string | null): Page {
  const size = top === null ? DEFAULT_PAGE : Number(top);
  if (!Number.isInteger(size) || size < 1 || size > LONGEST_PAGE) {
    throw new BerthError(
      'BERTH_REQUEST_INVALID',
      `top is ${JSON.stringify(top)}: give a whole number from 1 to ${LONGEST_PAGE}.`,
    );
  }
  if (after === null) return { top: size, partition: 0, after: undefined };
  const [partition, ...row] = Buffer.from(after, 'base64url').toString('utf8').split('/');
  const index = Number(partition);
  if (!Number.isInteger(index) || index < 0 || row.length === 0) {
    throw new BerthError('BERTH_REQUEST_INVALID', 'after is none of the values that attention.next had.');
  }
  return { top: size, partition: index, after: row.join('/') };
}

async function attentionPage({ stores }: Instance, fleet: Fleet, { top, partition, after }: Page) {
  const partitions: readonly PartitionKey[] = fleet.hubs.flatMap(({ host }: Hub) => partitionsOf(host));
  const items: Attention[] = [];
  for (let index = partition; index < partitions.length; index += 1) {
    const key = partitions[index];
    if (key === undefined) break;
    const rows = await stores.twins.attention(
      key,
      index === partition ? after : undefined,
      top - items.length,
    );
    items.push(...rows);
    const last = rows.at(-1);
    if (items.length === top && last !== undefined) {
      return {
        items: items.map(describeAttention),
        next: Buffer.from(`${index}/${last.rowKey}`).toString('base64url'),
      };
    }
  }
  return { items: items.map(describeAttention), next: null };
}

/** From the beginning of a day on, because counting reads the keys only, which hold the day. */
async function countLetters({ stores }: Instance, now: number) {
  const since = now - LETTER_DAYS * 86_400_000;
  return {
    since: new Date(since).toISOString().slice(0, 10),
    ...(await stores.deadLetters.count(since, MOST_LETTERS)),
  };
}

function describeAttention({ id, state, since, why }: Attention) {
  return {
    hub: id.host,
    deviceId: id.deviceId,
    ...(id.moduleId === undefined ? {} : { moduleId: id.moduleId }),
    state,
    since: isoTime(since),
    why,
  };
}

function addUp(counts: readonly StateCounts[]): StateCounts {
  return Object.fromEntries(
    TWIN_STATES.map((state) => [state, sum(counts.map((count) => count[state]))]),
  ) as unknown as StateCounts;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function isoTime(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
