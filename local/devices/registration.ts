import { Agent } from 'node:https';
import { Http as HttpBase } from 'azure-iot-http-base';
import { MqttBase } from 'azure-iot-mqtt-base';
import { ProvisioningDeviceClient } from 'azure-iot-provisioning-device';
import { Http } from 'azure-iot-provisioning-device-http';
import { Mqtt } from 'azure-iot-provisioning-device-mqtt';
import { SymmetricKeySecurityClient } from 'azure-iot-security-symmetric-key';
import { X509Security } from 'azure-iot-security-x509';
import type { JsonObject } from '../../src/json/json.ts';
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
  /** What the webhook gave it. */
  readonly payload: unknown;
}

/**
 * Registers a device with DPS as its firmware would, with Microsoft's SDK. Rejects where DPS refuses it or
 * cannot be reached.
 */
export async function register(options: RegistrationOptions): Promise<Assigned> {
  const { registrationId, proof, payload, idScope } = options;
  const security =
    proof.kind === 'key'
      ? new SymmetricKeySecurityClient(registrationId, proof.key)
      : new X509Security(registrationId, { cert: proof.certificate, key: proof.key });
  const [host, transport] = transportTo(options);
  // Its own types know of no X509Security, which its own documentation uses.
  const client = ProvisioningDeviceClient.create(host, idScope, transport, security as unknown as Security);
  client.setProvisioningPayload({ ...payload });
  try {
    const result = await client.register();
    if (result === undefined) throw new Error('DPS gave no result.');
    return { hub: result.assignedHub, deviceId: result.deviceId, payload: result.payload };
  } finally {
    // After a failure the transport would keep its connection and its timers.
    await client.cancel();
  }
}

type Security = Parameters<typeof ProvisioningDeviceClient.create>[3];

/** The transports know no port and no authority of their own, but their bases do. */
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
