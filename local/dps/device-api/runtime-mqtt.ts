import {
  CONNECT_REFUSED,
  type MqttConnection,
  type MqttService,
  type MqttSession,
} from '../../mqtt/index.ts';
import type { AttestedDevice } from '../registration/attestation.ts';
import { type Attester, refusalText } from '../registration/attester.ts';
import type { DpsRefusal } from '../registration/dps-error.ts';
import type { RegistrationService, RuntimeAnswer } from '../registration/registration-service.ts';
import { MAX_MESSAGE_BYTES } from '../registration/webhook.ts';

/* The topics of DPS: iot-dps-mqtt-support.md, and what azure-iot-provisioning-device-mqtt 1.8 sends. */
const RESPONSES = '$dps/registrations/res/#';
const REGISTER = '$dps/registrations/PUT/iotdps-register/';
const POLL = '$dps/registrations/GET/iotdps-get-operationstatus/';

/** Every id scope begins with `0ne`. Such a user name is meant for this or another DPS. */
const ANY_SCOPE = /^0ne[^/]*\/registrations\//i;

/** The runtime API over MQTT. The user name is `{idScope}/registrations/{registrationId}/api-version=…`. */
export function createRuntimeMqtt(
  idScope: string,
  attester: Attester,
  service: RegistrationService,
): MqttService {
  return {
    claims: (userName) =>
      ANY_SCOPE.test(userName) ||
      userName.toLowerCase().startsWith(`${idScope}/registrations/`.toLowerCase()),
    async connect({ clientId, userName, password, certificates }) {
      const [scope = '', , registrationId = ''] = userName.split('/');
      if (clientId.toLowerCase() !== registrationId.toLowerCase())
        return { refused: CONNECT_REFUSED.identifier };
      const evidence = { token: password, certificates };
      // As in Azure, a device with a wrong key connects, and learns the reason from the answer to its first request.
      const device = attester({ scope, registrationId, evidence });
      return openSession(isForMqtt(device) ? device : 'unauthorized', service);
    },
  };
}

/** A device with a TPM cannot register over MQTT (iot-dps-mqtt-support.md). */
function isForMqtt(device: ReturnType<Attester>): device is AttestedDevice | DpsRefusal {
  return typeof device === 'string' || !('challenge' in device || device.proof.type === 'tpm');
}

function openSession(device: AttestedDevice | DpsRefusal, service: RegistrationService): MqttSession {
  let connection: MqttConnection | undefined;
  return {
    restored: new Map(),
    opened(opened) {
      connection = opened;
    },
    grants: (filter) => filter === RESPONSES,
    subscribed() {},
    received({ topic, payload }) {
      const requestId = parameterOf(topic, '\\$rid');
      const answer = respond(topic, payload);
      if (answer === undefined) throw new Error('A device published to an unknown topic of DPS.');
      connection?.publish(RESPONSES, {
        topic: responseTopic(answer, requestId),
        payload: Buffer.from(JSON.stringify(answer.body)),
      });
    },
    closed() {},
  };

  function respond(topic: string, payload: Buffer): RuntimeAnswer | undefined {
    if (!topic.startsWith(REGISTER) && !topic.startsWith(POLL)) return undefined;
    if (typeof device === 'string') return service.refuse(device, refusalText(device));
    if (payload.length > MAX_MESSAGE_BYTES) {
      return service.refuse('tooLarge', `A message must not exceed ${MAX_MESSAGE_BYTES} bytes.`);
    }
    return topic.startsWith(REGISTER)
      ? service.register(device, payload)
      : service.poll(device, parameterOf(topic, 'operationId'));
  }
}

function responseTopic({ status, retryAfter }: RuntimeAnswer, requestId: string): string {
  const again = retryAfter === undefined ? '' : `&retry-after=${retryAfter}`;
  return `$dps/registrations/res/${status}/?$rid=${requestId}${again}`;
}

function parameterOf(topic: string, name: string): string {
  return new RegExp(`[?&]${name}=([^&]*)`).exec(topic)?.[1] ?? '';
}
