import { type EdgeDevice, manifestFor } from '../../src/edge/manifest-for.ts';
import type { FilledManifest } from '../../src/fleet/edge/manifest.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject } from '../../src/json/json.ts';

/* Devices and fleets of the tests of IoT Edge. */

export const HOST = hostName('weu.azure-devices.net');
const HUB = { host: HOST, region: 'westeurope', tier: 'S1' };

/** A fleet with these deployments. @throws Error with the problems of the file */
export function edgeFleet(deployments: readonly unknown[], edge: object = {}, twins: object = {}): Fleet {
  const parsed = parseFleet(JSON.stringify({ hubs: [HUB], twins, edge: { ...edge, deployments } }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
}

export function edgeDevice(tags: JsonObject = {}, deviceId = 'gateway-1'): EdgeDevice {
  return { id: { host: HOST, deviceId, moduleId: undefined }, tags, desired: {}, reported: {} };
}

/** The manifest of a device without problems. */
export function manifestOf(fleet: Fleet, device: EdgeDevice = edgeDevice()): FilledManifest {
  const { manifest, problems } = manifestFor(device, fleet);
  if (manifest === undefined) throw new Error(JSON.stringify(problems));
  return manifest;
}
