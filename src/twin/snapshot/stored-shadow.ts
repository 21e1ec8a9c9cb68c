import * as z from 'zod';
import type { DocumentFormat } from '../../json/document-format.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { type Instant, NEVER, parseInstant } from '../../time/instant.ts';
import { DUE_PRIORITIES, restoreShadow, type Shadow, TWIN_STATES, unreadShadow } from './shadow.ts';
import type { TwinId } from './twin.ts';

const instant = z.custom<Instant>((value) => typeof value === 'string' && parseInstant(value) === value);
const json = z.custom<JsonObject>(isObject);
const value = z.custom<JsonValue>((found) => found !== undefined);
const count = z.int().min(0);
/** Milliseconds since the epoch that a `Date` can hold. */
const ms = z.number().min(-8.64e15).max(8.64e15);

const history = z.object({
  ours: count,
  oursAt: instant.optional(),
  reportedAt: instant.optional(),
  changedAt: instant.optional(),
  before: value.optional(),
  writes: z.array(
    z.object({ policy: z.string(), by: z.string(), value, at: instant, count: z.int().min(0) }),
  ),
  foreign: z.array(instant),
  configuration: z.string().optional(),
  fightUntil: ms.optional(),
  rejected: z.array(
    z.object({ policy: z.string(), value, why: z.string(), isByHub: z.boolean().optional() }),
  ),
});

const standing = z.enum(['unreached', 'inSync', 'pending', 'drifted', 'held', 'rejected', 'fighting']);

/** A snapshot as it is stored: JSON, which leaves out what is undefined. */
const stored = z.object({
  version: count,
  desiredVersion: count,
  reportedVersion: count,
  etag: z.string().optional(),
  modelId: z.string().optional(),
  tags: json,
  desired: json,
  reported: json,
  asOf: instant,
  bornAt: instant,
  paths: z.record(z.string(), history),
  lifeAt: instant.optional(),
  activity: z.object({ askedAt: ms, asks: count, isConnected: z.boolean() }).optional(),
  unread: z.object({ since: instant, why: z.string(), isResync: z.boolean().optional() }).optional(),
  writing: z
    .array(z.object({ path: z.array(z.string()), policy: z.string(), by: z.string(), value }))
    .optional(),
  due: z.object({ priority: z.enum(DUE_PRIORITIES), at: ms, why: z.string(), tries: count }).optional(),
  parked: z.object({ why: z.string() }).optional(),
  judgement: z.object({
    state: z.enum(TWIN_STATES),
    since: ms,
    why: z.string(),
    revision: z.string(),
    policies: z.record(z.string(), standing),
    isHeld: z.boolean(),
  }),
});

/**
 * The format of stored snapshots. A change of the schema, an additional field too, is a new format with a step: an older package
 * would lose the field when it stores the snapshot again.
 */
export const SNAPSHOT_FORMAT: DocumentFormat<Partial<Shadow>> = {
  document: 'snapshot',
  steps: [],
  read: (document) => stored.safeParse(document).data as Partial<Shadow> | undefined,
};

/**
 * The snapshot that `SNAPSHOT_FORMAT` has read. One that is damaged (undefined) is as good as none: its twin is read from the hub
 * before anything is decided.
 */
export function snapshotIn(id: TwinId, read: Partial<Shadow> | undefined): Shadow {
  return read === undefined
    ? unreadShadow(id, NEVER, 'what is stored of it cannot be read')
    : restoreShadow(id, read);
}
