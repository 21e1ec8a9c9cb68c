import * as z from 'zod';
import { EDGE_STATUSES } from '../edge/edge-status.ts';
import { EDGE_MODULE_STATUSES } from '../edge/reported-modules.ts';
import { MOVE_STATES } from '../twin/plan/move-state.ts';
import { receiptSchema } from './receipt.ts';
import {
  type Answer,
  host,
  json,
  jsonObject,
  nonNegative,
  policyMode,
  propertyStatus,
  time,
  twinStatus,
  workPriority,
} from './values.ts';

const path = z.string().meta({ description: 'With dots, below `properties.desired`.' });

/** One property that a policy owns, and how it stands. */
const property = z.strictObject({
  path,
  policy: z.string(),
  mode: policyMode,
  wanted: json,
  status: propertyStatus,
  why: z.string(),
  held: z
    .string()
    .nullable()
    .meta({ description: 'Why a correction is not written; null: nothing is held.' }),
  nextAt: time.nullable(),
  askAt: time.nullable().meta({ description: 'When the hub is asked whether the device is alive.' }),
  desired: json,
  reported: json,
  ourVersion: nonNegative,
  reportedAt: time.nullable(),
  writes: z.array(z.strictObject({ by: z.string(), value: json, at: time, count: nonNegative })),
  foreignChanges: z.array(time),
  configuration: z.string().nullable(),
  contestedUntil: time.nullable(),
  rejected: z.array(z.strictObject({ value: json, why: z.string() })),
});

/** What a twin gets of a policy whose rollout is not complete. */
const rollout = z.strictObject({
  policy: z.string(),
  stage: z
    .string()
    .nullable()
    .meta({ description: 'The stage that holds the device; null: it has no stages.' }),
  gets: z.enum(['new', 'previous', 'nothing', 'back']).meta({
    description:
      'The content of the fleet file, the content before it, nothing, or the values from before a rollback.',
  }),
  why: z.string().meta({ description: 'Why the rollout has not reached the twin; empty: it has.' }),
  until: time.nullable().meta({ description: 'When it reaches the twin; null: not known.' }),
});

/** An IoT Edge device, by the reports of its `$edgeAgent`. */
const edgeDevice = z.strictObject({
  status: z.enum(EDGE_STATUSES).meta({
    description: 'running: the device has what is wanted. applied: it has not taken the manifest yet.',
  }),
  isInSync: z
    .boolean()
    .meta({ description: 'The four conditions hold: version, code, status and image of each module.' }),
  why: z.string(),
  deployments: z
    .array(z.string())
    .meta({ description: 'The deployments that match the device, in their order.' }),
  modules: z.array(
    z.strictObject({
      name: z.string(),
      status: z.enum(EDGE_MODULE_STATUSES),
      why: z.string(),
      wantedImage: z.string(),
      image: z.string().nullable(),
      restartCount: nonNegative,
      exitCode: z.number().nullable(),
      startedAt: time
        .nullable()
        .meta({ description: 'When its container last started, by the clock of the device.' }),
      exitedAt: time.nullable(),
      description: z.string().meta({ description: 'What the runtime says of the container.' }),
    }),
  ),
  leftovers: z
    .array(z.string())
    .meta({ description: 'Modules that the device still has and should not have.' }),
  problems: z.array(z.strictObject({ code: z.string(), path: z.string(), message: z.string() })),
  applied: z
    .strictObject({ at: time.nullable(), why: z.string(), revision: z.string() })
    .nullable()
    .meta({ description: 'The last manifest that Berth applied; null: none.' }),
});

/** The twin of a device or of one of its modules, as Berth has it. */
const twin = z.strictObject({
  hub: host,
  moduleId: z.string().nullable(),
  status: twinStatus,
  since: time.nullable(),
  why: z.string(),
  modelId: z.string().nullable(),
  version: nonNegative,
  desiredVersion: nonNegative,
  reportedVersion: nonNegative,
  asOf: time,
  bornAt: time,
  lifeAt: time.nullable(),
  etagKnown: z.boolean(),
  unread: z.strictObject({ since: time, why: z.string(), isResync: z.boolean().optional() }).nullable(),
  suspended: z.strictObject({ why: z.string() }).nullable(),
  workItem: z
    .strictObject({ priority: workPriority, at: time.nullable(), why: z.string(), tries: nonNegative })
    .nullable(),
  next: z.string().meta({ description: 'What Berth does next about the twin, and when.' }),
  patch: jsonObject.nullable(),
  tags: jsonObject,
  rollouts: z.array(rollout),
  parent: z
    .strictObject({
      deviceId: z.string(),
      status: z.enum(['entered', 'missing', 'another']).meta({
        description: 'Whether the identity of the device names this parent, no parent, or another one.',
      }),
      why: z.string(),
    })
    .nullable()
    .meta({ description: 'The IoT Edge gateway that the registration named; null: none.' }),
  moveRequest: z
    .strictObject({
      leaves: host.meta({ description: 'The hub that the device is asked to leave.' }),
      state: z.enum(MOVE_STATES),
      askedAt: time.nullable().meta({ description: 'When the property was set; null: it is not set.' }),
      asksAt: time.nullable().meta({
        description: 'When the gradual move reaches the device; null: it has, or that is not known.',
      }),
    })
    .nullable()
    .meta({ description: 'While the hub drains: whether the device was asked to register again.' }),
  paths: z.array(property),
  edge: edgeDevice
    .optional()
    .meta({ description: 'Only for $edgeAgent, if the fleet file has deployments.' }),
});

/** One device: where it is and why, how its twins stand and why, and the last decisions about it. */
export const deviceStatusSchema = z.strictObject({
  deviceId: z.string(),
  twins: z.array(twin),
  receipts: z.array(receiptSchema).meta({ description: 'The newest first, at most five.' }),
});
export type DeviceStatus = Answer<typeof deviceStatusSchema>;

const ofTwin = { hub: host, moduleId: z.string().nullable(), at: time };

const moment = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('decision'),
    at: time,
    hub: host.nullable().meta({ description: 'Null: the registration was refused.' }),
    how: z.string(),
    why: z.string(),
  }),
  z.strictObject({ kind: z.literal('seen'), ...ofTwin }),
  z.strictObject({
    kind: z.literal('write'),
    ...ofTwin,
    path,
    policy: z.string(),
    value: json,
    count: nonNegative.meta({ description: 'How often the value was written in a row.' }),
  }),
  z.strictObject({ kind: z.literal('change'), ...ofTwin, path }),
  z.strictObject({ kind: z.literal('report'), ...ofTwin, path }),
  z.strictObject({ kind: z.literal('status'), ...ofTwin, status: twinStatus, why: z.string() }),
]);

/**
 * What is known of a device's past, the newest first: decisions, Berth's writes, changes by others, last reports, and
 * since when each twin has its status.
 */
export const deviceHistorySchema = z.strictObject({
  deviceId: z.string(),
  items: z.array(moment),
  more: nonNegative.meta({ description: 'Older items that are left out.' }),
});
export type DeviceHistory = Answer<typeof deviceHistorySchema>;
export type DeviceMoment = DeviceHistory['items'][number];
