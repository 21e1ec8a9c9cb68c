import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import type { EnrollmentRecord } from '../dps/port.ts';
import { isSameWebhook, withoutKey } from '../dps/webhook-url.ts';
import type { DocumentFormat } from '../json/document-format.ts';
import { isObject } from '../json/json.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { keyOf } from './plan.ts';

/**
 * The progress of a key rotation, so that a stopped rotation can continue. DPS masks keys, so an enrollment
 * does not show which key it has. An enrollment has the new key if it still has the etag of its update.
 */
export const rotationSchema = z.strictObject({
  dps: z.string(),
  webhook: z.string(),
  /** Salt of `fingerprint`, base64. */
  salt: z.string(),
  /** Keyed hash of the new key, to check that a continued rotation uses the same key. */
  fingerprint: z.string(),
  startedAt: z.string(),
  /** Etag after the update, by enrollment. */
  done: z.record(z.string(), z.string()),
});

export type Rotation = z.output<typeof rotationSchema>;

/** The member `format` of the file is the number of the format. The first files had no such member. */
export const ROTATION_FORMAT: DocumentFormat<Rotation> = {
  document: 'progress of the rotation',
  steps: [],
  unnumbered: 1,
  read: (document) => rotationSchema.safeParse(document).data,
};

export function beginRotation(dps: string, webhook: string, key: string, now: EpochMs): Rotation {
  const salt = randomBytes(16).toString('base64');
  return {
    dps,
    webhook: withoutKey(webhook),
    salt,
    fingerprint: fingerprintOf(key, salt).toString('base64'),
    startedAt: new Date(now).toISOString(),
    done: {},
  };
}

/** Whether `rotation` belongs to this key, webhook and DPS, and can continue. */
export function goesOn(rotation: Rotation, dps: string, webhook: string, key: string): boolean {
  const known = Buffer.from(rotation.fingerprint, 'base64');
  const given = fingerprintOf(key, rotation.salt);
  const isSameKey = known.length === given.length && timingSafeEqual(known, given);
  return rotation.dps === dps && rotation.webhook === withoutKey(webhook) && isSameKey;
}

/** Whether the enrollment has the new key: it has not changed since its update. */
export function isRotated(rotation: Rotation, record: EnrollmentRecord): boolean {
  return Object.hasOwn(rotation.done, keyOf(record)) && rotation.done[keyOf(record)] === record.etag;
}

export function withRotated(rotation: Rotation, record: EnrollmentRecord): Rotation {
  return { ...rotation, done: { ...rotation.done, [keyOf(record)]: record.etag } };
}

/** The enrollments that use this webhook. */
export function pointingAt(
  records: readonly EnrollmentRecord[],
  webhook: string,
): readonly EnrollmentRecord[] {
  return records.filter(({ json }) => {
    const definition = json.customAllocationDefinition;
    const url = isObject(definition) ? definition.webhookUrl : undefined;
    return typeof url === 'string' && isSameWebhook(url, webhook);
  });
}

function fingerprintOf(key: string, salt: string): Buffer {
  return createHmac('sha256', Buffer.from(salt, 'base64')).update(key, 'utf8').digest();
}
