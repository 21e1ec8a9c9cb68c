import { createHmac } from 'node:crypto';
import type { IotHubs } from '../local/iot-hub/index.ts';
import type { MqttSession } from '../local/mqtt/index.ts';

/** The key of the devices of a bench, in Base64. */
export const DEVICE_KEY = Buffer.alloc(32, 7).toString('base64');

/** Connects a device to a local hub with the device API, without a network. @throws if the hub refuses it */
export async function connectDevice(hubs: IotHubs, host: string, deviceId: string): Promise<MqttSession> {
  const resource = encodeURIComponent(`${host}/devices/${deviceId}`);
  const expiry = Date.UTC(2100, 0) / 1_000;
  const signature = createHmac('sha256', Buffer.from(DEVICE_KEY, 'base64'))
    .update(`${resource}\n${expiry}`)
    .digest('base64');
  const session = await hubs.mqtt.connect({
    clientId: deviceId,
    userName: `${host}/${deviceId}/?api-version=2021-04-12`,
    password: `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}`,
    cleanSession: true,
    certificates: [],
  });
  if ('refused' in session) throw new Error(`${deviceId} was refused with ${session.refused}`);
  return session;
}
