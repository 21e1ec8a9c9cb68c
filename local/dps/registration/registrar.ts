import type { JsonObject, JsonValue } from '../../../src/json/json.ts';
import { isSameHub, type PortableDevice, type ProvisioningAccess } from '../../iot-hub/index.ts';
import { createClock, formatDateTimeUtc } from '../../iot-hub/model/instant.ts';
import type { LocalLog } from '../../log.ts';
import { enrollmentId, isEnabled, isGroup, maskQuery } from '../enrollments/enrollment.ts';
import { readInitialTwin, type StoredEnrollmentTwin } from '../enrollments/initial-twin.ts';
import type { DpsLinkedHub } from '../enrollments/linked-hub.ts';
import {
  type FailedAllocation,
  failedAllocation,
  type RegistrationAllocation,
  readWebhookAnswer,
} from './allocation.ts';
import { type AllocationInput, allocationRequest, type CurrentAssignment } from './allocation-request.ts';
import type { AttestedDevice } from './attestation.ts';
import { chooseHub } from './built-in-policy.ts';
import { newRegistrationEtag, type Registration, type RegistrationStore } from './registration.ts';
import { DEFAULT_REPROVISION_POLICY, planAssignment } from './reprovisioning.ts';
import { callUntilAnswered, type WebhookCall } from './webhook.ts';

export interface RegistrarContext {
  readonly linkedHubs: readonly DpsLinkedHub[];
  readonly hub: (host: string) => ProvisioningAccess | undefined;
  readonly store: RegistrationStore;
  readonly call: WebhookCall;
  readonly retryWaitsMs: readonly number[];
  readonly onRegistration?: ((registration: Registration) => void) | undefined;
  readonly log: LocalLog;
  readonly now: () => number;
  /** Cancels running webhook calls. */
  readonly signal: AbortSignal;
}

/**
 * Processes an accepted registration and stores its result. Rejects only if it is aborted or the store fails.
 */
export type Registrar = (device: AttestedDevice, payload: JsonValue | undefined) => Promise<Registration>;

export function createRegistrar(context: RegistrarContext): Registrar {
  const { linkedHubs, hub, store, call, retryWaitsMs, onRegistration, log, now, signal } = context;
  const tick = createClock(now);

  return async (device, payload) => {
    const { enrollment, registrationId } = device;
    if (!isEnabled(enrollment)) return keep(device, { status: 'disabled' });
    const current = currentOf(registrationId);
    const policy = enrollment.reprovisionPolicy ?? DEFAULT_REPROVISION_POLICY;
    const mayMove = current === undefined || policy.updateHubAssignment;
    const candidates = mayMove
      ? candidatesOf(device)
      : linkedHubs.filter(({ host }) => isSameHub(host, current.host));

    const allocation = await allocate(
      { device, payload, current, linkedHubs: hosts(candidates) },
      candidates,
    );
    if (allocation.result === 'failed') return refuse(device, allocation);
    try {
      return keep(device, { status: 'assigned', ...settle(device, allocation, current) });
    } catch (error) {
      // The code of DPS for a twin that the hub refuses is not known.
      const failure = enrollment.allocationPolicy === 'custom' ? 'customAllocationFailed' : 'noHub';
      const why = error instanceof Error ? error.message : 'unknown reason';
      return refuse(device, failedAllocation(failure, `The hub refused the device: ${why}`));
    }
  };

  function refuse(device: AttestedDevice, { code, message }: FailedAllocation): Registration {
    log.warn(`DPS could not assign ${device.registrationId}: ${message}`);
    return keep(device, { status: 'failed', failure: { code, message } });
  }

  /**
   * The current assignment of the device; undefined if no host name of its hub is linked any more.
   */
  function currentOf(registrationId: string): CurrentAssignment | undefined {
    const assignment = store.get(registrationId)?.assignment;
    if (assignment === undefined) return undefined;
    return linkedHubs.some(({ host }) => isSameHub(host, assignment.host)) ? assignment : undefined;
  }

  function candidatesOf({ enrollment }: AttestedDevice): readonly DpsLinkedHub[] {
    const wanted = enrollment.iotHubs?.map((host) => host.toLowerCase()) ?? [];
    return wanted.length === 0
      ? linkedHubs
      : linkedHubs.filter(({ host }) => wanted.includes(host.toLowerCase()));
  }

  async function allocate(
    input: AllocationInput,
    candidates: readonly DpsLinkedHub[],
  ): Promise<RegistrationAllocation> {
    const { enrollment, registrationId } = input.device;
    const policy = enrollment.allocationPolicy ?? 'hashed';
    if (policy !== 'custom') {
      const host = chooseHub(policy, candidates, registrationId);
      return host === undefined
        ? failedAllocation('noHub', 'No linked hub can receive the device')
        : { result: 'hub', host };
    }
    const url = enrollment.customAllocationDefinition?.webhookUrl;
    if (url === undefined) return failedAllocation('customAllocationFailed', 'The enrollment has no webhook');
    const json = JSON.stringify(allocationRequest(input));
    const response = await callUntilAnswered(() => callOnce(url, json, registrationId), retryWaitsMs, signal);
    return readWebhookAnswer(response, input.linkedHubs);
  }

  async function callOnce(url: string, json: string, registrationId: string) {
    try {
      const response = await call(url, json, signal);
      log.info(`DPS called ${maskQuery(url)} for ${registrationId}: ${response.status}`);
      return response;
    } catch (error) {
      const why = error instanceof Error ? error.message : 'unknown reason';
      log.warn(`DPS called ${maskQuery(url)} for ${registrationId} and got no answer: ${why}`);
      throw error;
    }
  }

  /**
   * Creates identity and twin on the assigned hub, then removes them from the old hub. If the process ends between the
   * two steps, the device is on both hubs until its next registration.
   */
  function settle(
    device: AttestedDevice,
    allocation: Extract<RegistrationAllocation, { result: 'hub' }>,
    current: CurrentAssignment | undefined,
  ): Pick<Registration, 'assignment' | 'substatus' | 'payload'> {
    const { enrollment, authentication } = device;
    const plan = planAssignment(
      allocation.host,
      current,
      enrollment.reprovisionPolicy ?? DEFAULT_REPROVISION_POLICY,
    );
    const deviceId = current?.deviceId ?? deviceIdOf(device);
    const target = hub(plan.host);
    if (target === undefined) throw new Error(`the hub ${plan.host} does not exist`);
    // A device that already exists on the hub keeps its twin, also at its first registration.
    if (plan.leave === undefined && target.read(deviceId) !== undefined) {
      target.authenticate(deviceId, authentication);
    } else {
      const migrated = plan.twin === 'migrated' && plan.leave ? hub(plan.leave)?.read(deviceId) : undefined;
      target.create(deviceId, { ...(migrated ?? newDevice(device, allocation)), authentication });
    }
    if (plan.leave !== undefined) hub(plan.leave)?.remove(deviceId);
    return {
      assignment: { host: plan.host, deviceId },
      substatus: plan.substatus,
      ...(allocation.payload && { payload: allocation.payload }),
    };
  }

  function newDevice(
    { enrollment, authentication }: AttestedDevice,
    { initialTwin }: { readonly initialTwin?: StoredEnrollmentTwin },
  ): PortableDevice {
    const own = readInitialTwin(enrollment.initialTwin as JsonObject | undefined);
    const twin = initialTwin ?? (own === 'malformed' ? undefined : own);
    return {
      authentication,
      capabilities: enrollment.capabilities ?? { iotEdge: false },
      tags: twin?.tags ?? {},
      desired: twin?.desired ?? {},
      reported: {},
    };
  }

  function keep(
    { registrationId, enrollment, proof }: AttestedDevice,
    result: Pick<Registration, 'status' | 'assignment' | 'substatus' | 'payload' | 'failure'>,
  ): Registration {
    const before = store.get(registrationId);
    const time = formatDateTimeUtc(tick());
    const registration: Registration = {
      registrationId: before?.registrationId ?? registrationId,
      enrollmentId: enrollmentId(enrollment),
      attestation: proof.type,
      ...(before?.assignment && { assignment: before.assignment }),
      etag: newRegistrationEtag(),
      createdDateTimeUtc: before?.createdDateTimeUtc ?? time,
      lastUpdatedDateTimeUtc: time,
      ...result,
    };
    store.put(registration);
    onRegistration?.(registration);
    return registration;
  }
}

function hosts(hubs: readonly DpsLinkedHub[]): readonly string[] {
  return hubs.map(({ host }) => host);
}

function deviceIdOf({ enrollment, registrationId }: AttestedDevice): string {
  return isGroup(enrollment) ? registrationId : (enrollment.deviceId ?? enrollment.registrationId);
}
