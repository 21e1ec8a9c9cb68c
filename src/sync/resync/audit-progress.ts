import * as z from 'zod';
import type { HostName } from '../../iot-hub/host-name.ts';
import { EPOCH } from '../../time/epoch-ms.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';

const progressSchema = z.object({
  startedAt: epochMsSchema,
  phase: z.enum(['mark', 'sweep', 'devices', 'modules', 'done']),
  /** All stored twins of the hub may be old, and not only those of new modules. */
  isWhole: z.boolean().default(true),
  /** In `mark` and `sweep`: `partition/row key`. Else the continuation token of the hub. Empty: the start. */
  at: z.string(),
  seen: z.number(),
  /** Twins that Berth did not know. */
  missed: z.number(),
  /** Twins whose stored version was wrong. */
  stale: z.number(),
  sampled: z.number(),
  mismatched: z.number(),
  /** Modules that were not targeted before. Their events were ignored, so their stored twins may be old. */
  newModules: z.array(z.string()).default([]),
  /** The last audit that was complete. */
  lastDone: z.object({ startedAt: epochMsSchema, seen: z.number() }).nullable().default(null),
  /** Why the audit waits for the budget of a later day. */
  waits: z.object({ since: epochMsSchema, why: z.string() }).nullable().default(null),
  /** The audit includes the modules that were targeted up to this time. */
  modulesAt: epochMsSchema.default(EPOCH),
});

/** The progress of the audit of a hub, and its results. */
export type AuditProgress = z.output<typeof progressSchema>;

export const requestSchema = z.object({ at: epochMsSchema, author: z.string(), reason: z.string() });

/** An operator's request to read every twin of a hub again. */
export type ResyncRequest = z.output<typeof requestSchema>;

export function auditName(host: HostName): string {
  return `audit|${host}`;
}

/** The stored progress of an audit. Undefined: there is none, or it cannot be used. */
export function readAudit(stored: unknown): AuditProgress | undefined {
  return progressSchema.safeParse(stored).data;
}

export function requestName(host: HostName): string {
  return `resync|${host}`;
}
