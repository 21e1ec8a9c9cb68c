import * as z from 'zod';
import type { HostName } from '../iot-hub/host-name.ts';
import type { DocumentFormat } from '../json/document-format.ts';
import { EPOCH } from '../time/epoch-ms.ts';
import { epochMsSchema } from '../time/epoch-ms-schema.ts';

/*
 * The one row of the state tables that every writer obeys: pauses, rollouts of policies, builds, trusted hubs. What each of
 * them means is in a file of its own. Pure.
 */

const pauseSchema = z.object({
  author: z.string(),
  reason: z.string(),
  at: epochMsSchema,
  /** Of a policy that paused itself: the hash of the content that was rejected. */
  content: z.string().optional(),
});

const intervalSchema = z.object({ from: epochMsSchema, to: epochMsSchema });

const policySeenSchema = z.object({
  name: z.string(),
  /** When this content was first seen: its rollout begins there. */
  since: epochMsSchema,
  /** When it was found to be in no fleet file any more. */
  leftAt: epochMsSchema.optional(),
  /** When it was in no fleet file, before it came back: that time does not count for its rollout. */
  away: z.array(intervalSchema).optional(),
  /** A person has resumed it after it paused itself: it does not do so again. */
  isTrusted: z.boolean().optional(),
});

const pastPauseSchema = intervalSchema.extend({
  scope: z.string(),
  /** Who paused, and why. */
  author: z.string().optional(),
  reason: z.string().optional(),
  /** As in a pause. */
  content: z.string().optional(),
  /** Who ended it, and why. */
  resumed: z.object({ author: z.string(), reason: z.string() }).optional(),
});

export const controlSchema = z.object({
  /** Present while nothing may be written to any hub. */
  fleet: pauseSchema.optional(),
  hubs: z.record(z.string(), pauseSchema).default({}),
  /** By name. */
  policies: z.record(z.string(), pauseSchema).default({}),
  /** Build time of the newest package that has run, ISO 8601; instances of an older one do not write. */
  newestBuild: z.string().default(''),
  /** By content hash. */
  seen: z.record(z.string(), policySeenSchema).default({}),
  /** Modules that policies target, and since when: before that their events were passed over. */
  modules: z.record(z.string(), epochMsSchema).default({}),
  pastPauses: z.array(pastPauseSchema).default([]),
  /** Hubs whose events are not trusted: every decision is preceded by a read. */
  untrusted: z.record(z.string(), z.object({ since: epochMsSchema, why: z.string() })).default({}),
  /** Grows whenever every twin must be planned again although no twin has changed. */
  generation: z.number().default(0),
  /** When that, or the newest package, last changed. */
  changedAt: epochMsSchema.default(EPOCH),
});

/** Who paused something, when and why. */
export type Pause = z.output<typeof pauseSchema>;
/** A pause that is over. */
export type PastPause = z.output<typeof pastPauseSchema>;
export type Control = z.output<typeof controlSchema>;

/**
 * The format of the control row. A change of the schema, an additional field too, is a new format with a step: an older package
 * would lose the field when it stores the row again.
 */
export const CONTROL_FORMAT: DocumentFormat<Control> = {
  document: 'control row',
  steps: [],
  read: (document) => controlSchema.safeParse(document).data,
};

/** What a pause is about. */
export type Scope =
  | { readonly kind: 'fleet' }
  | { readonly kind: 'hub'; readonly host: HostName }
  | { readonly kind: 'policy'; readonly name: string };

/** Who pauses a policy that too many devices reject. */
export const SELF = 'Berth';
