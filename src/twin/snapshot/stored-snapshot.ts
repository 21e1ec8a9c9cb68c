import * as z from 'zod';
import type { DocumentFormat } from '../../json/document-format.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';
import { type Instant, isInstant, NEVER } from '../../time/instant.ts';
import { EDGE_DEVICE_STATUSES } from './edge-device-status.ts';
import {
  POLICY_STATUSES,
  restoreSnapshot,
  type Snapshot,
  TWIN_STATUSES,
  unreadSnapshot,
  WORK_PRIORITIES,
} from './snapshot.ts';
import type { TwinId } from './twin.ts';

const instant = z.custom<Instant>((value) => isInstant(value));
const json = z.custom<JsonObject>(isObject);
const value = z.custom<JsonValue>((found) => found !== undefined);
const count = z.int().min(0);

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
  contestedUntil: epochMsSchema.optional(),
  rejected: z.array(
    z.object({ policy: z.string(), value, why: z.string(), isByHub: z.boolean().optional() }),
  ),
  replaced: z.object({ policy: z.string(), value, at: instant, lifeAt: instant.optional() }).optional(),
});

const policyStatus = z.enum(POLICY_STATUSES);

const appliedManifest = z.object({
  content: z.string(),
  secrets: z.string().optional(),
  key: z.string().optional(),
  at: epochMsSchema,
  revision: z.string(),
  why: z.string(),
  deployments: z.array(z.string()),
  contents: z.array(z.string()).optional(),
  lifeAt: instant.optional(),
  givenBack: z.array(z.string()).optional(),
  left: z.array(z.object({ module: z.string(), path: z.string(), why: z.string() })).optional(),
  version: count.optional(),
});

const moduleRecord = z.object({
  applied: json,
  replaced: z.array(
    z.object({ deployment: z.string(), content: z.string(), value: json, at: epochMsSchema }),
  ),
});

/** A snapshot as it is stored: JSON without undefined members. */
const stored = z.object({
  version: count,
  desiredVersion: count,
  reportedVersion: count,
  etag: z.string().optional(),
  modelId: z.string().optional(),
  isEdge: z.boolean().optional(),
  runtime: z
    .object({ desiredAt: instant, statusAt: instant.optional(), configurations: z.array(z.string()) })
    .optional(),
  edge: z
    .object({
      applied: z.array(appliedManifest),
      intent: appliedManifest.optional(),
      adoption: z.object({ author: z.string(), reason: z.string(), at: epochMsSchema }).optional(),
      refused: z.object({ content: z.string(), secrets: z.string().optional(), why: z.string() }).optional(),
      modules: z.record(z.string(), moduleRecord).optional(),
      putBack: z.array(epochMsSchema),
    })
    .optional(),
  parent: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('none') }),
      z.object({ kind: z.literal('noReceipt'), checkAt: epochMsSchema }),
      z.object({
        kind: z.literal('missing'),
        deviceId: z.string(),
        why: z.string(),
        checkAt: epochMsSchema,
        revision: z.string(),
        tries: count,
      }),
      z.object({ kind: z.literal('entered'), deviceId: z.string(), by: z.enum(['berth', 'others']) }),
      z.object({ kind: z.literal('another'), deviceId: z.string() }),
    ])
    .optional(),
  tags: json,
  desired: json,
  desiredBytes: count.optional(),
  reported: json,
  asOf: instant,
  bornAt: instant,
  paths: z.record(z.string(), history),
  lifeAt: instant.optional(),
  activity: z.object({ askedAt: epochMsSchema, asks: count, isConnected: z.boolean() }).optional(),
  unread: z.object({ since: instant, why: z.string(), isResync: z.boolean().optional() }).optional(),
  writing: z
    .array(
      z.object({
        path: z.array(z.string()),
        policy: z.string(),
        by: z.string(),
        value,
        replaces: value.optional(),
      }),
    )
    .optional(),
  workItem: z
    .object({ priority: z.enum(WORK_PRIORITIES), at: epochMsSchema, why: z.string(), tries: count })
    .optional(),
  suspended: z.object({ why: z.string() }).optional(),
  lastReconcile: z.object({
    status: z.enum(TWIN_STATUSES),
    since: epochMsSchema,
    why: z.string(),
    revision: z.string(),
    policies: z.record(z.string(), policyStatus),
    stages: z.record(z.string(), z.string()).optional(),
    reached: z.array(z.string()).optional(),
    isHeld: z.boolean(),
    edge: z.enum(EDGE_DEVICE_STATUSES).optional(),
  }),
});

/**
 * The format of stored snapshots. Every change of the schema, also an additional field, needs a new format with a step. An
 * older package would otherwise lose the field when it stores the snapshot.
 */
export const SNAPSHOT_FORMAT: DocumentFormat<Partial<Snapshot>> = {
  document: 'snapshot',
  steps: [
    // Format 2 adds what a rollout replaced, the stages of the last reconcile, and two policy statuses.
    (document) => document,
    // Format 3 adds what IoT Edge needs. Without it, Berth reads the twins of IoT Edge again.
    (document) => document,
    // Format 4 adds the parent of a device, and how an IoT Edge device stands. Without them, Berth looks again.
    (document) => document,
    // Format 5 adds what rollouts have replaced in the modules of IoT Edge devices. Without it, a rollback leaves it.
    (document) => document,
    // Format 6 adds the contents that have reached a twin and own nothing there. Without it, an earlier content comes back.
    (document) => document,
    // Format 7 adds the size of desired properties before their redaction. Without it, Berth reads the twin before a write.
    (document) => document,
  ],
  read: (document) => stored.safeParse(document).data as Partial<Snapshot> | undefined,
};

/**
 * The snapshot that `SNAPSHOT_FORMAT` has read. Undefined: it is damaged, so Berth reads the twin from the hub before it
 * decides anything.
 */
export function snapshotIn(id: TwinId, read: Partial<Snapshot> | undefined): Snapshot {
  return read === undefined
    ? unreadSnapshot(id, NEVER, 'its stored snapshot is damaged')
    : restoreSnapshot(id, read);
}
