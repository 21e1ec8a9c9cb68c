import { randomBytes, randomUUID } from 'node:crypto';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { createShaper } from '../../iot-hub/hub/throttle.ts';
import { parseRequestJson } from '../../iot-hub/model/json.ts';
import type { LocalLog } from '../../log.ts';
import { protectIdentityKey } from '../../tpm/index.ts';
import { enrollmentId, isGroup } from '../enrollments/enrollment.ts';
import type { AttestedDevice } from './attestation.ts';
import { DPS_REFUSALS, type DpsRefusal, refusalBody } from './dps-error.ts';
import type { Registrar } from './registrar.ts';
import { describeRegistration, type Registration, type RegistrationStore } from './registration.ts';

/*
 * Limits of DPS (azure-docs includes/iot-dps-limits.md). The limit on polling (5 in 10 s for a device) is not enforced,
 * because the local DPS asks devices to poll more often.
 */
const MAX_REGISTRATIONS = 1_000_000;
const REGISTRATIONS_PER_MINUTE = 1_000;
const MINUTE_MS = 60_000;

/** An answer of the runtime API, over HTTPS or MQTT. */
export interface RuntimeAnswer {
  readonly status: number;
  /** Seconds after which the device polls again. */
  readonly retryAfter?: number;
  readonly body: JsonObject;
}

/** The runtime API for devices with a proved identity. None of its methods throws. */
export interface RegistrationService {
  /**
   * Starts a registration in the background. If one is under way, it starts no second one. `body` is the JSON of the
   * request, or nothing.
   */
  register(device: AttestedDevice, body: Buffer): RuntimeAnswer;
  /** The state of a started registration. */
  poll(device: AttestedDevice, operationId: string): RuntimeAnswer;
  /** The state of the device's last registration. */
  lookUp(device: AttestedDevice): RuntimeAnswer;
  refuse(refusal: DpsRefusal, message: string): RuntimeAnswer;
}

interface Operation {
  readonly id: string;
  readonly device: AttestedDevice;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Whether the device has polled its result. */
  isPolled: boolean;
  result: Registration | 'assigning' | 'aborted';
}

export function createRegistrationService(context: {
  readonly store: RegistrationStore;
  readonly registrar: Registrar;
  readonly retryAfter: number;
  readonly log: LocalLog;
  readonly now: () => number;
}): RegistrationService {
  const { store, registrar, retryAfter, log, now } = context;
  const shaper = createShaper(REGISTRATIONS_PER_MINUTE / 60, { burstMs: MINUTE_MS, backlogMs: 0 });
  /** The last operation of each registration id, in lower case. */
  const operations = new Map<string, Operation>();

  const refuse = (refusal: DpsRefusal, message: string): RuntimeAnswer => ({
    status: DPS_REFUSALS[refusal].status,
    ...(refusal === 'tooManyRequests' && { retryAfter }),
    body: refusalBody(refusal, message, now()),
  });

  const describe = ({ id, device, result }: Operation): RuntimeAnswer => {
    const { registrationId } = device;
    if (result === 'aborted') return refuse('notFound', 'The operation was lost.');
    if (result === 'assigning') {
      const registrationState = { registrationId, status: 'assigning' };
      return { status: 202, retryAfter, body: { operationId: id, status: 'assigning', registrationState } };
    }
    const state = { ...stateOf(device, result), ...hubKeyFor(device, result) };
    return { status: 200, body: { operationId: id, status: result.status, registrationState: state } };
  };

  /**
   * In Azure, a registration needs seconds. So an operation is under way at least until the device has polled its result, or
   * may have polled it: a request that is repeated at once has the same operation.
   */
  const isUnderWay = ({ result, startedAt, isPolled }: Operation): boolean =>
    result === 'assigning' || (result !== 'aborted' && !isPolled && now() - startedAt < retryAfter * 1000);

  const start = (device: AttestedDevice, payload: JsonValue | undefined): Operation => {
    const id = `5.${randomBytes(8).toString('hex')}.${randomUUID()}`;
    const operation: Operation = { id, device, startedAt: now(), isPolled: false, result: 'assigning' };
    operations.set(device.registrationId.toLowerCase(), operation);
    registrar(device, payload).then(
      (registration) => {
        operation.result = registration;
      },
      (error: unknown) => {
        operation.result = 'aborted';
        const why = error instanceof Error ? error.message : 'unknown reason';
        log.warn(`The registration of ${device.registrationId} was canceled: ${why}`);
      },
    );
    return operation;
  };

  return {
    refuse,
    register(device, bytes) {
      const body = readBody(bytes);
      const problem = problemOf(device, body);
      if (problem !== undefined) return refuse(...problem);
      const key = device.registrationId.toLowerCase();
      const running = operations.get(key);
      if (running !== undefined && isUnderWay(running)) return accepted(running, retryAfter);
      if (store.get(key) === undefined && store.size >= MAX_REGISTRATIONS) {
        return refuse('tooManyRequests', `DPS holds at most ${MAX_REGISTRATIONS} registrations.`);
      }
      if (shaper.admit(now(), 1) === 'refused')
        return refuse('tooManyRequests', 'Too many registrations in this minute.');
      const payload = ownMember(body, 'payload');
      return accepted(start(device, payload ?? undefined), retryAfter);
    },
    poll(device, operationId) {
      const operation = operations.get(device.registrationId.toLowerCase());
      if (operation?.id !== operationId) return refuse('notFound', 'The operation does not exist.');
      operation.isPolled = operation.result !== 'assigning';
      return describe(operation);
    },
    lookUp(device) {
      const registration = store.get(device.registrationId);
      if (registration === undefined) return refuse('notFound', 'The device has not registered yet.');
      return { status: 200, body: stateOf(device, registration) };
    },
  };
}

function accepted({ id }: Operation, retryAfter: number): RuntimeAnswer {
  return { status: 202, retryAfter, body: { operationId: id, status: 'assigning' } };
}

/** For a device with a TPM: the key for its hub, which only this TPM can open. */
function hubKeyFor({ proof, authentication }: AttestedDevice, { status }: Registration): JsonObject {
  if (proof.type !== 'tpm' || authentication.type !== 'sas' || status !== 'assigned') return {};
  const key = Buffer.from(authentication.symmetricKey.primaryKey, 'base64');
  const { endorsement, storageRoot } = proof.tpm;
  return {
    tpm: { authenticationKey: protectIdentityKey(endorsement, storageRoot, key).toString('base64') },
  };
}

function stateOf({ enrollment }: AttestedDevice, registration: Registration): JsonObject {
  return describeRegistration(registration, isGroup(enrollment) ? enrollmentId(enrollment) : undefined);
}

/** Reads the body of a registration; an empty one, or only white space, is accepted and has no payload. */
function readBody(bytes: Buffer): JsonValue | undefined {
  return bytes.toString('utf8').trim() === '' ? {} : parseRequestJson(bytes);
}

function problemOf(
  { registrationId, proof }: AttestedDevice,
  body: JsonValue | undefined,
): readonly [DpsRefusal, string] | undefined {
  if (!isObject(body)) return ['invalidArgument', 'The body is not a JSON object.'];
  const named = ownMember(body, 'registrationId');
  const isSame = typeof named === 'string' && named.toLowerCase() === registrationId.toLowerCase();
  if (named !== undefined && !isSame)
    return ['invalidArgument', 'registrationId in the body differs from the id of the device.'];
  const payload = ownMember(body, 'payload') ?? undefined;
  if (payload !== undefined && !isObject(payload))
    return ['invalidPayload', 'payload must be a JSON object, not text, a number, a boolean or a list.'];
  return (ownMember(body, 'tpm') ?? undefined) === undefined || proof.type === 'tpm'
    ? undefined
    : [
        'invalidArgument',
        'The body has keys of a TPM, but the enrollment of the device does not attest by TPM.',
      ];
}
