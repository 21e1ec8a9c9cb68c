import { Agent } from 'node:https';
import { Http as HttpBase } from 'azure-iot-http-base';
import { MqttBase } from 'azure-iot-mqtt-base';
import { ProvisioningDeviceClient } from 'azure-iot-provisioning-device';
import { Http } from 'azure-iot-provisioning-device-http';
import { Mqtt } from 'azure-iot-provisioning-device-mqtt';
import { SymmetricKeySecurityClient } from 'azure-iot-security-symmetric-key';
import { X509Security } from 'azure-iot-security-x509';
import { isObject, type JsonObject } from '../../src/json/json.ts';
import type { DeviceProof } from './messages.ts';

export interface RegistrationOptions {
  readonly registrationId: string;
  readonly proof: DeviceProof;
  readonly payload: JsonObject;
  readonly over: 'mqtt' | 'https';
  readonly idScope: string;
  readonly ca: string;
  readonly httpsPort: number;
  readonly mqttPort: number;
}

export interface Assigned {
  readonly hub: string;
  readonly deviceId: string;
  /** The payload that the webhook returned for the device. */
  readonly payload: unknown;
}

/**
 * Registers a device with DPS, with Microsoft's SDK. Rejects if DPS refuses the device or does not answer.
 */
export async function register(options: RegistrationOptions): Promise<Assigned> {
  const { registrationId, proof, payload, idScope } = options;
  const security =
    proof.kind === 'key'
      ? new SymmetricKeySecurityClient(registrationId, proof.key)
      : new X509Security(registrationId, { cert: proof.certificate, key: proof.key });
  const [host, transport] = transportTo(options);
  // The types of the SDK do not accept X509Security, although its documentation uses it.
  const client = ProvisioningDeviceClient.create(host, idScope, transport, security as unknown as Security);
  client.setProvisioningPayload({ ...payload });
  try {
    const result = await client.register();
    if (result === undefined) throw new Error('DPS returned no result.');
    return { hub: result.assignedHub, deviceId: result.deviceId, payload: result.payload };
  } finally {
    // After a failure, the transport would otherwise keep its connection and timers.
    await client.cancel();
  }
}

/** What DPS said if it refused the device, as one sentence; undefined for other errors of `register`. */
export function refusalOf(error: unknown): string | undefined {
  const result = (error as { readonly result?: unknown } | null)?.result;
  const state = isObject(result) && isObject(result.registrationState) ? result.registrationState : {};
  return state.errorCode === undefined
    ? undefined
    : `DPS refused it: ${state.errorCode} ${state.errorMessage}`;
}

type Security = Parameters<typeof ProvisioningDeviceClient.create>[3];

/** Only the base classes of the transports accept a port and a certificate authority. */
function transportTo({ over, ca, httpsPort, mqttPort }: RegistrationOptions): readonly [string, Http | Mqtt] {
  if (over === 'https') {
    const base = new HttpBase();
    base.setOptions({ http: { agent: new Agent({ port: httpsPort, ca }) } });
    return ['localhost', new Http(base as unknown as ConstructorParameters<typeof Http>[0])];
  }
  const base = new MqttBase();
  base.setOptions({ ca });
  return [`localhost:${mqttPort}`, new Mqtt(base as unknown as ConstructorParameters<typeof Mqtt>[0])];
}
