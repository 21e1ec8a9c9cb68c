import * as z from 'zod';
import { HUB_STATES } from '../fleet/hub-state.ts';
import { LIVENESS_STATES } from '../liveness/liveness.ts';
import { SYNC_COUNTS } from '../metrics/sync-counters.ts';
import { EDGE_COUNTS, EDGE_DEVICE_STATUSES } from '../twin/snapshot/edge-device-status.ts';
import { attentionPageSchema } from './attention.ts';
import { type Answer, host, json, nonNegative, policyMode, share, time, twinCounts } from './values.ts';

/** How a rollout in stages is. */
const ROLLOUT_STATUSES = [
  'not begun',
  'needs approval',
  'running',
  'paused',
  'complete',
  'aborted',
  'rolling back',
  'rolled back',
] as const;

const writes = z.enum(['on', 'paused']);

/** Who paused something, when and why; null: it is not paused. */
const pause = z
  .strictObject({
    author: z.string(),
    reason: z.string(),
    at: time.nullable(),
    content: z
      .string()
      .optional()
      .meta({ description: 'Of a policy that paused itself: the hash of the content that was rejected.' }),
  })
  .nullable();

function override<Value extends z.ZodType>(value: Value) {
  return z
    .strictObject({ value, author: z.string(), reason: z.string(), expiresAt: time.nullable() })
    .nullable();
}

const hubSync = z.strictObject({
  messagesToday: nonNegative.meta({ description: "Of the hub's daily quota, by Berth." }),
  messagesLimit: z.number().meta({ description: 'What budget.daily allows.' }),
  counts: z.record(z.enum(SYNC_COUNTS), z.number()).meta({ description: 'Of this hour and the one before.' }),
  gapRate: share.nullable(),
  trust: z.enum(['events', 'read']),
  untrusted: z.strictObject({ since: time.nullable(), why: z.string() }).nullable(),
});

/** Whether the twin change events of a hub arrive. */
export const hubLiveness = z.strictObject({
  state: z.enum(LIVENESS_STATES),
  since: time
    .nullable()
    .meta({ description: 'Since when it is in this state; null: it was not assessed yet.' }),
  why: z.string().meta({ description: 'One sentence; empty: there is nothing to say.' }),
  changedAt: time.nullable().meta({ description: 'The newest twin change event.' }),
  echoedAt: time.nullable().meta({ description: 'The newest write of Berth that came back as an event.' }),
  heartbeat: z
    .strictObject({
      result: z.enum(['sent', 'missing', 'failed']),
      at: time.nullable(),
      why: z.string().nullable(),
    })
    .nullable()
    .meta({ description: 'The last heartbeat; null: none was needed yet.' }),
  unchecked: z
    .strictObject({
      twins: nonNegative,
      of: nonNegative,
      since: time.nullable(),
      waits: z.string().nullable().meta({ description: 'Why the audit waits; null: it does not.' }),
    })
    .nullable()
    .meta({ description: 'While the hub is silent: twins that may have changed without an event.' }),
});

const hub = z.strictObject({
  host,
  region: z.string(),
  state: z.enum(HUB_STATES),
  weight: z.number(),
  capacity: z.number(),
  share: z.strictObject({
    wanted: share.meta({ description: 'By the weights.' }),
    expected: share.nullable().meta({
      description:
        'By the weights, the latencies and the rules: the mean of the chances of the registered devices. Null: no device has registered, or more than 500.',
    }),
    spread: share.nullable().meta({ description: 'One standard deviation of `actual` around `expected`.' }),
    actual: share.meta({ description: 'Of the counted devices.' }),
  }),
  devices: nonNegative.nullable(),
  countedAt: time.nullable(),
  failures: nonNegative,
  health: z.enum(['healthy', 'unhealthy']),
  writes,
  pause,
  twins: twinCounts.optional(),
  twinsCountedAt: time.nullable(),
  sync: hubSync.nullable(),
  liveness: hubLiveness.nullable().meta({ description: 'Null: another deployment reconciles the hub.' }),
  audit: json.meta({ description: 'How far the audit has come; null: there was none.' }),
  moveRequests: z
    .strictObject({
      asked: nonNegative.meta({ description: 'They were asked, and have not registered again yet.' }),
      silent: nonNegative.meta({ description: 'They were asked, and have shown no life since.' }),
      waiting: nonNegative.meta({ description: 'They are asked when the gradual move reaches them.' }),
      notAsked: nonNegative.meta({
        description: 'Their request is held, waits for its write, or was refused.',
      }),
    })
    .nullable()
    .meta({
      description:
        'Devices of a draining hub by their move request; null: the hub does not drain, or the fleet file has no `allocation.moves.ask`.',
    }),
  overrides: z.strictObject({ state: override(z.enum(HUB_STATES)), weight: override(z.number()) }),
});

const policy = z.strictObject({
  name: z.string(),
  id: z.string(),
  mode: policyMode,
  since: time.nullable(),
  rollout: share.meta({ description: 'How far its rollout has come.' }),
  stage: z.string().optional().meta({ description: 'The present stage of a rollout in stages.' }),
  pause,
  reached: nonNegative.meta({ description: 'Twins in which it owns something and may write.' }),
  rejected: nonNegative,
  held: nonNegative,
  contested: nonNegative,
  drifted: nonNegative,
  pending: nonNegative.meta({ description: 'Written, and not answered by the device yet.' }),
  inSync: nonNegative,
});

const act = { author: z.string(), reason: z.string(), at: time.nullable() };

/** One stage of a rollout, with the devices of this stage only. */
const stage = z.strictObject({
  name: z.string(),
  status: z
    .enum(['done', 'running', 'later', 'ended'])
    .meta({ description: '`ended`: the rollout was aborted or rolled back before the stage was done.' }),
  where: z
    .string()
    .nullable()
    .meta({ description: 'The condition of its devices; null: it holds a share of all devices.' }),
  share: share.meta({
    description: 'Of all devices, with the stages before; 0 for a stage with a condition.',
  }),
  leastMs: nonNegative.meta({ description: 'Its least time, ms.' }),
  isApproved: z.boolean().meta({ description: 'It begins only after an approval.' }),
  takePart: nonNegative,
  reached: nonNegative,
  waiting: nonNegative.meta({ description: 'Not written yet.' }),
  pending: nonNegative,
  inSync: nonNegative,
  rejected: nonNegative,
  contested: nonNegative,
  lost: nonNegative.meta({ description: 'They have shown no life since their first write.' }),
  silent: nonNegative.meta({ description: 'They showed no life before it, so they do not take part.' }),
  endsAt: time
    .nullable()
    .meta({ description: 'When its least time is over; null: it is done, or not known.' }),
});

/** A rollout in stages, as `berth rollouts show`. */
const rollout = z.strictObject({
  policy: z.string(),
  status: z.enum(ROLLOUT_STATUSES),
  stage: z.strictObject({ name: z.string(), since: time.nullable() }).nullable(),
  waitsFor: z
    .strictObject({ stage: z.string(), why: z.string() })
    .nullable()
    .meta({ description: 'The stage that needs an approval.' }),
  gateWaits: z.string().nullable().meta({
    description:
      'Why the present stage is not done yet, by the present counts; null: no stage runs, or its gate passes.',
  }),
  approvable: z.string().nullable().meta({ description: 'The stage that an approval would allow now.' }),
  gate: z
    .strictObject({
      inSync: share.meta({ description: 'Least part of the devices that take part and are in sync.' }),
      rejected: share.meta({
        description: 'Greatest part of the devices with a result that reject a value or are lost.',
      }),
      sample: nonNegative.meta({
        description: 'Results that it needs, or all devices that take part if they are fewer.',
      }),
      deadlineMs: nonNegative.meta({
        description: 'After this time without a sign of life since its first write, a device is lost.',
      }),
    })
    .meta({ description: 'What a stage must show before the next one begins.' }),
  onFailure: z.enum(['pause', 'rollback']),
  approvers: z
    .array(z.string())
    .meta({ description: 'The Entra sign-in names that may approve; empty: every operator.' }),
  pause: z.strictObject({ ...act, stage: z.string().optional() }).nullable(),
  end: z.strictObject({ ...act, kind: z.enum(['aborted', 'rolledBack']) }).nullable(),
  approvals: z.array(z.strictObject({ ...act, stage: z.string() })),
  stages: z.array(stage),
});

const edgeDeviceCounts = z.record(z.enum(EDGE_DEVICE_STATUSES), nonNegative);

/** A deployment of IoT Edge, as `berth get deployments`. */
const edgeDeployment = z.strictObject({
  name: z.string(),
  id: z.string(),
  since: time.nullable(),
  rollout: share.meta({ description: 'How far its rollout has come.' }),
  stage: z.string().nullable().meta({ description: 'The present stage of a rollout in stages; null: none.' }),
  pause,
  devices: z.record(z.enum(EDGE_COUNTS), nonNegative).meta({
    description:
      'The devices that match it, by the status of the whole device. unreached: its rollout has not reached them.',
  }),
});

const edge = z.strictObject({
  devices: edgeDeviceCounts.meta({
    description: 'All IoT Edge devices, each once. notMatched: no deployment matches.',
  }),
  deployments: z.array(edgeDeployment),
});

/** The fleet at a glance: hubs and their shares, policies, twins by status, and who needs a person. */
export const fleetStatusSchema = z.strictObject({
  revision: z.string(),
  build: z.strictObject({ running: z.string(), newest: z.string().nullable() }),
  problems: z.array(z.strictObject({ path: z.string(), message: z.string() })),
  writes,
  pause,
  pausedPolicies: z.array(z.string()),
  hubs: z.array(hub),
  policies: z.array(policy),
  rollouts: z.array(rollout).meta({ description: 'Rollouts in stages.' }),
  edge: edge.nullable().meta({ description: 'Null: the fleet file has no deployments of IoT Edge.' }),
  moves: z.array(z.strictObject({ cause: z.string(), since: time.nullable(), progress: share })),
  twins: twinCounts,
  attention: attentionPageSchema,
  unknownHubs: z.array(z.strictObject({ hubName: z.string(), events: nonNegative, lastAt: z.string() })),
  unknownSources: z.array(
    z.strictObject({ hub: z.string(), source: z.string(), events: nonNegative, lastAt: z.string() }),
  ),
  deadLetters: z.strictObject({
    since: z.iso.date(),
    count: nonNegative,
    more: z.boolean().meta({ description: 'There are more than `count`.' }),
  }),
  onlyCounted: z.strictObject({
    events: nonNegative,
    counts: z.array(
      z.strictObject({
        hub: z.string(),
        source: z.string(),
        code: z.string(),
        events: nonNegative,
        lastAt: z.string(),
      }),
    ),
  }),
  stateExport: z
    .strictObject({
      lastAt: time.nullable().meta({ description: 'When the last daily export was made; null: none yet.' }),
      blob: z.string().nullable(),
      bytes: nonNegative.nullable(),
      damaged: nonNegative.meta({ description: 'Rows that it lacks, because they are damaged.' }),
      failedAt: time.nullable().meta({ description: 'When a later one has failed; null: none has.' }),
      why: z.string().nullable(),
    })
    .meta({ description: 'The daily export of the state that people made.' }),
});
export type FleetStatus = Answer<typeof fleetStatusSchema>;
export type HubLivenessAnswer = Answer<typeof hubLiveness>;
