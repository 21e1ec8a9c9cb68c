import * as z from 'zod';
import { LocalError } from '../errors.ts';
import type { OwnDevice, OwnDeviceRequest } from '../own-device/credentials.ts';
import { type ControlAnswer, failedAnswer, methodNotAllowed } from './answers.ts';
import type { ControlRequest } from './request.ts';
import { unusableBody } from './usage.ts';

/** As DPS allows (concepts-service.md): up to 128 characters, the last one a letter, a digit or a dash. */
const REGISTRATION_ID = /^[a-z0-9\-._:]{0,127}[a-z0-9-]$/i;
const ID = z
  .string()
  .regex(
    REGISTRATION_ID,
    'write up to 128 letters, digits and - . _ :, with a letter, a digit or - at the end',
  );

const REQUEST = z.strictObject({
  registrationId: ID,
  proof: z.enum(['key', 'x509', 'tpm']).default('key'),
  group: ID.optional(),
  edge: z.boolean().default(false),
});

/** `POST /devices`: what a device of the user needs to register. */
export async function ownDeviceRoute(
  request: ControlRequest,
  ownDevice: (request: OwnDeviceRequest) => Promise<OwnDevice>,
): Promise<ControlAnswer> {
  if (request.method !== 'POST') return methodNotAllowed(request, 'POST');
  const parsed = REQUEST.safeParse(request.body);
  if (!parsed.success) return unusableBody('The device is', parsed.error, request.body, REQUEST);
  const { registrationId, proof, group, edge } = parsed.data;
  try {
    const body = await ownDevice({ registrationId, proof, group, edge });
    return { status: body.enrollment.isNew ? 201 : 200, body };
  } catch (error) {
    if (!(error instanceof LocalError)) throw error;
    return failedAnswer(409, error.code, error.message);
  }
}
