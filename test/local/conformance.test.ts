import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { NoRetry } from 'azure-iot-common';
import { Client, Message, type ModuleClient, type Twin } from 'azure-iot-device';
import { Http } from 'azure-iot-device-http';
import { createTpmSecurity } from '../../local/devices/tpm-device.ts';
import type { Enrollment } from '../../local/dps/index.ts';
import { createSimulatedTpm, generateTpmKeys } from '../../local/tpm/index.ts';
import { realTime } from '../support/clock.ts';
import { type RegistrationProtocol, startLocalDps, testAuthority } from './dps/local-dps.ts';
import {
  createDeviceWithCamera,
  type LocalHubs,
  report,
  startLocalHubs,
  type TransportName,
  testKey,
  thumbprintOf,
  until,
  WEU,
} from './iot-hub/local-hubs.ts';

/*
 * What works over which transport, through the official device SDK. docs/local.md has the same table: each "yes" in it is one
 * test here. The other suites look at each part in detail.
 */

const TRANSPORTS = ['MQTT', 'MQTT over WebSocket', 'AMQP', 'AMQP over WebSocket', 'HTTPS'] as const;
type Transport = (typeof TRANSPORTS)[number];

const HUB_TRANSPORTS: Readonly<Record<Exclude<Transport, 'HTTPS'>, TransportName>> = {
  MQTT: 'Mqtt',
  'MQTT over WebSocket': 'MqttWs',
  AMQP: 'Amqp',
  'AMQP over WebSocket': 'AmqpWs',
};
const DPS_TRANSPORTS: Readonly<Record<Transport, RegistrationProtocol>> = {
  MQTT: 'mqtt',
  'MQTT over WebSocket': 'mqtt-ws',
  AMQP: 'amqp',
  'AMQP over WebSocket': 'amqp-ws',
  HTTPS: 'http',
};

const KEY = testKey(1);
const MODULE_KEY = testKey(3);

/** What a capability needs to be tried. */
interface Try {
  readonly local: LocalHubs;
  readonly transport: Transport;
  device(): Promise<Client>;
  module(): Promise<ModuleClient>;
}

const telemetry = (local: LocalHubs) =>
  local.events.filter(({ properties }) => properties.opType === undefined);
const desired = (local: LocalHubs, rate: number) =>
  local.registry(WEU).updateTwin('dev-1', { properties: { desired: { rate } } }, '*');

async function answeredMethod(local: LocalHubs, path: string): Promise<unknown> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { status, body } = await local.call('POST', `/twins/${path}/methods`, {
      body: { methodName: 'reboot', payload: { in: 5 }, responseTimeoutInSeconds: 5 },
    });
    if (status !== 404) return body;
    // The device subscribes to methods after it has connected.
    await realTime(100);
  }
  throw new Error('the device does not subscribe to methods');
}

async function settledMessage(
  { local, device }: Try,
  settle: (client: Client, message: Message) => Promise<unknown>,
): Promise<void> {
  const client = await device();
  const heard: Message[] = [];
  client.on('message', (message: Message) => heard.push(message));
  await local.call('POST', '/devices/dev-1/messages/devicebound', { body: 'hello' });
  await until(() => heard.length > 0, 'the message');
  const [message] = heard;
  if (message === undefined) throw new Error('no message');
  await settle(client, message);
  const left = () => local.hubs.view(WEU)?.twin('dev-1')?.cloudToDeviceMessageCount;
  await until(() => left() === 0, 'the empty queue');
}

async function heardDesired(local: LocalHubs, twin: Twin): Promise<void> {
  let rate: unknown;
  twin.on('properties.desired', (delta: { readonly rate?: unknown }) => {
    rate = delta.rate;
  });
  // The device subscribes to changes after it has read its twin.
  for (let value = 1; rate === undefined && value < 100; value += 1) {
    await desired(local, value);
    await realTime(100);
  }
  expect(rate).toEqual(expect.any(Number));
}

const HUB_CAPABILITIES: Readonly<Record<string, (given: Try) => Promise<void>>> = {
  'Sign in with a key, telemetry': async ({ local, device }) => {
    await (await device()).sendEvent(new Message('{"t":1}'));
    await until(() => telemetry(local).length === 1, 'the telemetry');
  },
  'Sign in with a certificate': async ({ local, transport }) => {
    const certificate = await local.authority.issueDevice('x509-1');
    const thumbprint = thumbprintOf(certificate.certificate);
    const authentication = {
      type: 'selfSigned',
      x509Thumbprint: { primaryThumbprint: thumbprint, secondaryThumbprint: thumbprint },
    };
    await local.registry(WEU).create({ deviceId: 'x509-1', authentication });
    const client = await local.device(WEU, 'x509-1', certificate, HUB_TRANSPORTS[transport as 'MQTT']);
    client.setRetryPolicy(new NoRetry());
    await client.open();
    await client.sendEvent(new Message('{"t":1}'));
    await until(() => telemetry(local).length === 1, 'the telemetry');
  },
  'Read the twin, report properties': async ({ local, device }) => {
    const twin = await (await device()).getTwin();
    await report(twin, { fps: 25 });
    expect(local.hubs.view(WEU)?.twin('dev-1')).toMatchObject({ properties: { reported: { fps: 25 } } });
  },
  'Changes of desired properties': async ({ local, device }) => {
    await heardDesired(local, await (await device()).getTwin());
  },
  'Direct methods': async ({ local, device }) => {
    (await device()).onDeviceMethod('reboot', ({ payload }, response) => {
      response.send(200, { heard: payload }, () => {});
    });
    expect(await answeredMethod(local, 'dev-1')).toEqual({ status: 200, payload: { heard: { in: 5 } } });
  },
  'Cloud-to-device messages, complete': (given) =>
    settledMessage(given, (client, message) => client.complete(message)),
  'Cloud-to-device messages, reject': (given) =>
    settledMessage(given, (client, message) => client.reject(message)),
  'Cloud-to-device messages, abandon': (given) => {
    let completed: Promise<unknown> | undefined;
    return settledMessage(given, async (client, first) => {
      client.on('message', (again: Message) => {
        completed = client.complete(again);
      });
      await client.abandon(first);
      await until(() => completed !== undefined, 'the second delivery');
      // The queue is empty before the device has the answer, and the hub may end then.
      await completed;
    });
  },
  'Modules: telemetry, twin, methods': async ({ local, module }) => {
    const client = await module();
    client.onMethod('reboot', (_request, response) => response?.send(200, { of: 'camera' }, () => {}));
    await report(await client.getTwin(), { fps: 25 });
    await client
      .sendOutputEvent('out', new Message('{"t":1}'))
      .catch(() => client.sendEvent(new Message('1')));
    expect(await answeredMethod(local, 'dev-1/modules/camera')).toEqual({
      status: 200,
      payload: { of: 'camera' },
    });
    expect(local.hubs.view(WEU)?.twin('dev-1', 'camera')).toMatchObject({
      properties: { reported: { fps: 25 } },
    });
  },
};

const tpm = createSimulatedTpm(generateTpmKeys());

const DPS_CAPABILITIES: Readonly<Record<string, (over: RegistrationProtocol) => Promise<void>>> = {
  'Registration with a key': async (over) => {
    await registered(over, { type: 'symmetricKey', primaryKey: KEY, secondaryKey: KEY }, { key: KEY });
  },
  'Registration with a certificate': async (over) => {
    const authority = await testAuthority();
    const certificate = await authority.issueDevice('dev-1');
    const attestation = { type: 'x509', certificates: [certificate.certificate] };
    await registered(over, attestation, { certificate });
  },
  'Registration with a TPM': async (over) => {
    const endorsementKey = tpm.endorsementKey.toString('base64');
    await registered(over, { type: 'tpm', endorsementKey }, { security: createTpmSecurity('dev-1', tpm) });
  },
};

async function registered(over: RegistrationProtocol, attestation: object, how: object): Promise<void> {
  const terms = { registrationId: 'dev-1', attestation, allocationPolicy: 'static', iotHubs: [WEU] };
  const local = await startLocalDps([terms as unknown as Enrollment]);
  try {
    // The client for a TPM answers in another form than the others.
    expect(JSON.stringify(await local.register('dev-1', { over, ...how }))).toContain(
      `"assignedHub":"${WEU}"`,
    );
  } finally {
    await local.close();
  }
}

/** The cells of the table in docs/local.md that are "yes", by capability. */
const TABLE = new Map(
  readFileSync(join(import.meta.dirname, '../../docs/local.md'), 'utf8')
    .split('\n')
    .flatMap((line): [string, ReadonlySet<Transport>][] => {
      const [, capability = '', ...cells] = line.split('|').map((cell) => cell.trim());
      if (!(capability in HUB_CAPABILITIES) && !(capability in DPS_CAPABILITIES)) return [];
      return [[capability, new Set(TRANSPORTS.filter((_, index) => cells[index] === 'yes'))]];
    }),
);
const cellsOf = (capabilities: object) =>
  Object.keys(capabilities).flatMap((capability) =>
    [...(TABLE.get(capability) ?? [])].map((transport) => [capability, transport] as const),
  );

test('docs/local.md has a row for each capability', () => {
  expect([...TABLE.keys()].sort()).toEqual(
    [...Object.keys(HUB_CAPABILITIES), ...Object.keys(DPS_CAPABILITIES)].sort(),
  );
});

describe('the local hubs, through the official device SDK', () => {
  let local: LocalHubs | undefined;
  const agents: Agent[] = [];
  let https: Client | undefined;
  afterEach(async () => {
    await https?.close();
    https = undefined;
    for (const agent of agents.splice(0)) agent.destroy();
    await local?.close();
  });

  const openHttps = async (hubs: LocalHubs): Promise<Client> => {
    const client = Client.fromConnectionString(`HostName=${WEU};DeviceId=dev-1;SharedAccessKey=${KEY}`, Http);
    const agent = new Agent({ host: '127.0.0.1', port: hubs.ports.https, ca: hubs.authority.root });
    agents.push(agent);
    await client.setOptions({ http: { agent, receivePolicy: { interval: 0.1 } } });
    await client.open();
    https = client;
    return client;
  };

  test.each(cellsOf(HUB_CAPABILITIES))('%s: works over %s', async (capability, transport) => {
    const hubs = await startLocalHubs();
    local = hubs;
    await createDeviceWithCamera(hubs, { device: KEY, camera: MODULE_KEY });
    const opened = async <Each extends Client | ModuleClient>(client: Each): Promise<Each> => {
      client.setRetryPolicy(new NoRetry());
      await client.open();
      return client;
    };

    await HUB_CAPABILITIES[capability]?.({
      local: hubs,
      transport,
      device: async () =>
        transport === 'HTTPS'
          ? openHttps(hubs)
          : opened(await hubs.device(WEU, 'dev-1', KEY, HUB_TRANSPORTS[transport])),
      module: async () =>
        opened(await hubs.module(WEU, 'dev-1', 'camera', MODULE_KEY, HUB_TRANSPORTS[transport as 'MQTT'])),
    });
  });
});

describe('the local DPS, through the official provisioning SDK', () => {
  test.each(cellsOf(DPS_CAPABILITIES))('%s: works over %s', async (capability, transport) => {
    await DPS_CAPABILITIES[capability]?.(DPS_TRANSPORTS[transport]);
  });
});
