import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import type { EnrollmentRecord } from '../dps/port.ts';
import { isSameWebhook, withoutKey } from '../dps/webhook-url.ts';
import type { DocumentFormat } from '../json/document-format.ts';
import { isObject } from '../json/json.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { keyOf } from './plan.ts';

/**
 * How far a rotation of the function key is, so that one that stopped half-way goes on. DPS masks keys, so nobody
 * can read from an enrollment which key it has; what tells is the etag that it got with the new one.
 */
export const rotationSchema = z.strictObject({
  dps: z.string(),
  webhook: z.string(),
  /** A keyed hash of the new key, to know whether it is still the same one. */
  salt: z.string(),
  fingerprint: z.string(),
  startedAt: z.string(),
  /** Etag after its update, by enrollment. */
  done: z.record(z.string(), z.string()),
});

export type Rotation = z.output<typeof rotationSchema>;

/** Its file has the number of the format as the member `format`; the first files had none. */
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

/** Whether `rotation` is one of this key, for this webhook of this DPS. */
export function goesOn(rotation: Rotation, dps: string, webhook: string, key: string): boolean {
  const known = Buffer.from(rotation.fingerprint, 'base64');
  const given = fingerprintOf(key, rotation.salt);
  const isSameKey = known.length === given.length && timingSafeEqual(known, given);
  return rotation.dps === dps && rotation.webhook === withoutKey(webhook) && isSameKey;
}

/** Whether the enrollment has the new key: nobody has written it since it got that. */
export function isRotated(rotation: Rotation, record: EnrollmentRecord): boolean {
  return Object.hasOwn(rotation.done, keyOf(record)) && rotation.done[keyOf(record)] === record.etag;
}

export function withRotated(rotation: Rotation, record: EnrollmentRecord): Rotation {
  return { ...rotation, done: { ...rotation.done, [keyOf(record)]: record.etag } };
}

/** The enrollments that ask this webhook. */
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
