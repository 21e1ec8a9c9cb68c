import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Client, ModuleClient, type Twin } from 'azure-iot-device';
import { currentTwin } from '../../local/current-twin.ts';
import { ModuleConnection } from '../../local/edge/device/module-connection.ts';
import { eventually } from '../support/eventually.ts';
import {
  createDeviceWithCamera,
  type LocalHubs,
  startLocalHubs,
  testKey,
  WEU,
} from './iot-hub/local-hubs.ts';

const KEYS = { device: testKey(1), camera: testKey(2) };

let local: LocalHubs;
beforeEach(async () => {
  local = await startLocalHubs();
  await createDeviceWithCamera(local, KEYS);
});
afterEach(() => local.close());

const change = (path: string, desired: object) =>
  local.call('PATCH', path, { body: { properties: { desired } } });

test.each<[string, (onDesired: (desired: object) => void) => Promise<{ close(): Promise<unknown> }>]>([
  [
    'a device',
    async (onDesired) => {
      const client = await local.device(WEU, 'dev-1', KEYS.device);
      await client.open();
      const twin = await currentTwin(client);
      twin.on('properties.desired', () => onDesired({ ...twin.properties.desired }));
      return { close: () => client.close() };
    },
  ],
  [
    'a simulated module',
    async (onDesired) =>
      new ModuleConnection({
        hub: WEU,
        deviceId: 'dev-1',
        moduleId: 'camera',
        key: KEYS.camera,
        mqttPort: local.ports.mqtt,
        ca: local.authority.root,
        methods: {},
        onDesired,
      }),
  ],
])(
  '%s gets a change between the answer with its twin and its subscription, and those after it',
  async (name, connect) => {
    const path = name === 'a device' ? '/twins/dev-1' : '/twins/dev-1/modules/camera';
    const { prototype } = name === 'a device' ? Client : ModuleClient;
    const getTwin = prototype.getTwin as () => Promise<Twin>;
    jest.spyOn(prototype, 'getTwin').mockImplementationOnce(async function (this: Client | ModuleClient) {
      const twin = await getTwin.call(this);
      await change(path, { interval: 5 });
      return twin;
    } as never);
    const seen: object[] = [];

    const connection = await connect((desired) => seen.push(desired));
    try {
      expect(await eventually(() => seen[0])).toMatchObject({ interval: 5, $version: 2 });
      await change(path, { color: 'red' });
      expect(await eventually(() => seen[1])).toMatchObject({ interval: 5, color: 'red', $version: 3 });
    } finally {
      await connection.close();
    }
  },
);
