import * as z from 'zod';
import type { HostName } from '../iot-hub/host-name.ts';
import type { DocumentFormat } from '../json/document-format.ts';
import { EPOCH } from '../time/epoch-ms.ts';
import { epochMsSchema } from '../time/epoch-ms-schema.ts';

/*
 * The control row of the state tables. Every writer checks it first. It holds pauses, rollouts of policies, build times and
 * hubs that are not trusted. Each of these has its own file in this folder. Pure.
 */

const pauseSchema = z.object({
  author: z.string(),
  reason: z.string(),
  at: epochMsSchema,
  /** If the policy paused itself: the hash of the rejected content. */
  content: z.string().optional(),
});

const intervalSchema = z.object({ from: epochMsSchema, to: epochMsSchema });

const policySeenSchema = z.object({
  name: z.string(),
  /** When this content was first seen: its rollout begins there. */
  since: epochMsSchema,
  /** When it was no longer in the fleet file. */
  leftAt: epochMsSchema.optional(),
  /** When it was not in the fleet file, before it came back. This time does not count for its rollout. */
  away: z.array(intervalSchema).optional(),
  /** An operator resumed it after it had paused itself. It does not pause itself again. */
  isTrusted: z.boolean().optional(),
  /** The fleet revision in which it was first seen. Devices may keep this content during the next rollout. */
  revision: z.string().optional(),
  /** The hash of the content of this policy that it replaced. */
  previous: z.string().optional(),
  /** Its last package gives it stages. Content that has run without stages does not begin them later. */
  isStaged: z.boolean().optional(),
  /** Of values of app settings: their keyed hashes by name, and what identifies the key. */
  settings: z.object({ key: z.string(), values: z.record(z.string(), z.string()) }).optional(),
});

const actSchema = z.object({ author: z.string(), reason: z.string(), at: epochMsSchema });

const stageBeganSchema = z.object({ name: z.string(), since: epochMsSchema });

const rolloutStateSchema = z.object({
  /** The present stage. Absent: the first stage, since the content was first seen, unless it needs an approval. */
  stage: stageBeganSchema.optional(),
  /** The names of the stages that are done. */
  done: z.array(z.string()).default([]),
  /** All stages are done: the content reaches every device, now and later. */
  completedAt: epochMsSchema.optional(),
  /** Which stages may begin, and who allowed it. `isUsed`: the stage has begun, and needs another approval to begin again. */
  approvals: z.array(actSchema.extend({ stage: z.string(), isUsed: z.boolean().optional() })).default([]),
  /** Stages in which the rollout failed, and an operator resumed it. Their counts no longer fail it. */
  accepted: z.array(z.string()).default([]),
  /** Present while no further device is reached. `stage`: the stage in which its gate failed. */
  pause: actSchema.extend({ stage: z.string().optional() }).optional(),
  /** The rollout is over before its end, until the file holds another content. */
  end: actSchema
    .extend({
      kind: z.enum(['aborted', 'rolledBack']),
      /** A rollback in the same stages: its present stage. Absent: every device goes back at once. */
      stage: stageBeganSchema.optional(),
    })
    .optional(),
  /** The stage that waits for an approval, and why. For operators. */
  waitsFor: z.object({ stage: z.string(), why: z.string() }).optional(),
});

const pastPauseSchema = intervalSchema.extend({
  scope: z.string(),
  /** Who paused, and why. */
  author: z.string().optional(),
  reason: z.string().optional(),
  /** As in a present pause. */
  content: z.string().optional(),
  /** Who ended it, and why. */
  resumed: z.object({ author: z.string(), reason: z.string() }).optional(),
});

const drainSchema = z.object({
  /** When it began. Absent: it has ended. */
  since: epochMsSchema.optional(),
  /** When the row learned that it began or ended. */
  changedAt: epochMsSchema,
});

export const controlSchema = z.object({
  /** Present while Berth may not write to any hub. */
  fleet: pauseSchema.optional(),
  hubs: z.record(z.string(), pauseSchema).default({}),
  /** By name. */
  policies: z.record(z.string(), pauseSchema).default({}),
  /** Build time of the newest package that has run, ISO 8601. Instances of an older package do not write. */
  newestBuild: z.string().default(''),
  /** By content hash. */
  seen: z.record(z.string(), policySeenSchema).default({}),
  /** The progress of rollouts, by content hash. Absent: the rollout is in its first stage. */
  rollouts: z.record(z.string(), rolloutStateSchema).default({}),
  /** Modules that policies target, and since when. Earlier events of these modules were ignored. */
  modules: z.record(z.string(), epochMsSchema).default({}),
  pastPauses: z.array(pastPauseSchema).default([]),
  /** Hubs whose events are not trusted. For their twins, Berth reads before every decision. */
  untrusted: z.record(z.string(), z.object({ since: epochMsSchema, why: z.string() })).default({}),
  /** The drains of hubs, if the fleet file asks devices to move. By hub. Without an entry, the hub has not drained. */
  drains: z.record(z.string(), drainSchema).default({}),
  /** Grows when every twin must be reconciled again although no twin has changed. */
  generation: z.number().default(0),
  /** When `generation` or the newest package last changed. */
  changedAt: epochMsSchema.default(EPOCH),
});

/** Who paused something, when and why. */
export type Pause = z.output<typeof pauseSchema>;
/** A pause that is over. */
export type PastPause = z.output<typeof pastPauseSchema>;
/** The progress of the rollout of one content. */
export type RolloutState = z.output<typeof rolloutStateSchema>;
/** Who did something, when and why. */
export type Act = z.output<typeof actSchema>;
/** A drain that devices are asked to follow, or the end of one. */
export type Drain = z.output<typeof drainSchema>;
export type Control = z.output<typeof controlSchema>;

const format4Schema = z.looseObject({
  rollouts: z
    .record(
      z.string(),
      z.looseObject({
        stage: z.looseObject({ name: z.string() }).optional(),
        done: z.array(z.string()).default([]),
        approvals: z.array(z.looseObject({ stage: z.string() })).default([]),
      }),
    )
    .default({}),
});

/** A stage that runs or is done has used its approval. */
function withUsedApprovals(document: unknown): unknown {
  const control = format4Schema.parse(document);
  for (const { stage: present, done, approvals } of Object.values(control.rollouts)) {
    for (const approval of approvals) {
      if ([...done, present?.name].includes(approval.stage)) approval.isUsed = true;
    }
  }
  return control;
}

/**
 * The format of the control row. Every change of the schema, also an additional field, needs a new format with a step. An
 * older package would otherwise lose the field when it stores the row.
 */
export const CONTROL_FORMAT: DocumentFormat<Control> = {
  document: 'control row',
  steps: [
    // Format 2 adds `rollouts` and three fields of `seen`. Without them, a rollout goes by its time.
    (document) => document,
    // Format 3 adds `settings` of `seen`. Without them, the present values count as applied.
    (document) => document,
    // Format 4 adds `drains`. Without them, the next run of `resyncFleet` adds those of the present.
    (document) => document,
    // Format 5 adds `isUsed` of approvals.
    withUsedApprovals,
  ],
  read: (document) => controlSchema.safeParse(document).data,
};

/** What a pause applies to. */
export type Scope =
  | { readonly kind: 'fleet' }
  | { readonly kind: 'hub'; readonly host: HostName }
  | { readonly kind: 'policy'; readonly name: string };

/** The author of a pause that Berth sets, because too many devices reject a policy. */
export const SELF = 'Berth';
