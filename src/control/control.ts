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
  /** Modules that policies target, and since when. Earlier events of these modules were ignored. */
  modules: z.record(z.string(), epochMsSchema).default({}),
  pastPauses: z.array(pastPauseSchema).default([]),
  /** Hubs whose events are not trusted. For their twins, Berth reads before every decision. */
  untrusted: z.record(z.string(), z.object({ since: epochMsSchema, why: z.string() })).default({}),
  /** Grows when every twin must be reconciled again although no twin has changed. */
  generation: z.number().default(0),
  /** When `generation` or the newest package last changed. */
  changedAt: epochMsSchema.default(EPOCH),
});

/** Who paused something, when and why. */
export type Pause = z.output<typeof pauseSchema>;
/** A pause that is over. */
export type PastPause = z.output<typeof pastPauseSchema>;
export type Control = z.output<typeof controlSchema>;

/**
 * The format of the control row. Every change of the schema, also an additional field, needs a new format with a step. An
 * older package would otherwise lose the field when it stores the row.
 */
export const CONTROL_FORMAT: DocumentFormat<Control> = {
  document: 'control row',
  steps: [],
  read: (document) => controlSchema.safeParse(document).data,
};

/** What a pause applies to. */
export type Scope =
  | { readonly kind: 'fleet' }
  | { readonly kind: 'hub'; readonly host: HostName }
  | { readonly kind: 'policy'; readonly name: string };

/** The author of a pause that Berth sets, because too many devices reject a policy. */
export const SELF = 'Berth';
