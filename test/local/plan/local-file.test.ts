import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { LocalError } from '../../../local/errors.ts';
import { readLocalFile } from '../../../local/plan/local-file.ts';
import { localFileJsonSchema } from '../../../local/plan/local-file-schema.ts';
import { builtInEventHub } from '../../../local/plan/local-plan.ts';
import { plainPlan } from '../../../local/plan/plain-plan.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const HOST = 'my-hub.azure-devices.net';
const KEY = Buffer.alloc(32, 7).toString('base64');

function read(content: unknown) {
  const file = join(temporaryFolder('local-file'), 'local.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return readLocalFile(file);
}
function problemsOf(content: unknown): readonly string[] {
  try {
    read(content);
    return [];
  } catch (error) {
    const { code, message, details } = error as LocalError;
    expect(code).toBe('BERTH_LOCAL_CONFIGURATION_INVALID');
    return [message, ...details.map((each) => `${each.path} ${each.message}`)];
  }
}

describe('local.json', () => {
  test('needs only the host names of the hubs', () => {
    expect(read({ hubs: [{ host: HOST.toUpperCase() }] })).toMatchObject({
      hubs: [
        {
          host: HOST,
          tier: 'S1',
          units: 1,
          builtInEndpoint: { partitionCount: 4, consumerGroups: [] },
          routing: { routes: [], fallbackRoute: { endpointNames: ['events'], isEnabled: true } },
        },
      ],
      eventHubs: [],
      dps: { idScope: '0ne00BE447A', linkedHubs: [HOST], groups: [] },
      ports: {},
    });
  });

  test('sets the options for cloud-to-device messages in the form of Azure Resource Manager', () => {
    const options = (cloudToDevice: object) =>
      read({ hubs: [{ host: HOST, cloudToDevice }] }).hubs[0]?.cloudToDevice;

    expect(options({})).toEqual({
      maxDeliveryCount: 10,
      timeToLiveMs: 3_600_000,
      feedback: { lockMs: 60_000, timeToLiveMs: 3_600_000, maxDeliveryCount: 10 },
    });
    expect(
      options({
        maxDeliveryCount: 3,
        defaultTtlAsIso8601: 'P1DT2H',
        feedback: { lockDurationAsIso8601: 'PT0H1M30S', ttlAsIso8601: 'P2D', maxDeliveryCount: 100 },
      }),
    ).toEqual({
      maxDeliveryCount: 3,
      timeToLiveMs: 26 * 3_600_000,
      feedback: { lockMs: 90_000, timeToLiveMs: 48 * 3_600_000, maxDeliveryCount: 100 },
    });
  });

  test.each([
    [{ maxDeliveryCount: 0 }, 'maxDeliveryCount'],
    [{ maxDeliveryCount: 101 }, 'maxDeliveryCount'],
    [{ defaultTtlAsIso8601: 'PT59S' }, 'from PT1M to P2D'],
    [{ defaultTtlAsIso8601: 'P2DT1S' }, 'from PT1M to P2D'],
    [{ defaultTtlAsIso8601: '1h' }, 'from PT1M to P2D'],
    [{ defaultTtlAsIso8601: 'P' }, 'from PT1M to P2D'],
    [{ feedback: { lockDurationAsIso8601: 'PT4S' } }, 'from PT5S to PT5M'],
    [{ feedback: { lockDurationAsIso8601: 'PT301S' } }, 'from PT5S to PT5M'],
  ])('refuses the options %j', (cloudToDevice, problem) => {
    expect(problemsOf({ hubs: [{ host: HOST, cloudToDevice }] }).join('\n')).toContain(problem);
  });

  test('makes the Event Hubs of routes, each once, if it does not list them', () => {
    const routing = {
      endpoints: {
        eventHubs: [
          { name: 'a', entityPath: 'alerts' },
          { name: 'b', entityPath: 'Alerts' },
          { name: 'c', entityPath: 'listed' },
        ],
      },
    };
    const { eventHubs } = read({
      hubs: [{ host: HOST, routing }],
      eventHubs: [{ name: 'listed', partitionCount: 2, consumerGroups: ['app'] }],
    });

    expect(eventHubs.map(({ name, partitionCount }) => [name.toLowerCase(), partitionCount])).toEqual([
      ['listed', 2],
      ['alerts', 4],
    ]);
  });

  test('sets DPS with enrollment groups, and ports', () => {
    const plan = read({
      hubs: [{ host: HOST }],
      dps: {
        idScope: '0ne12345678',
        host: 'my-dps.azure-devices-provisioning.net',
        linkedHubs: [HOST],
        enrollmentGroups: [{ id: 'line', primaryKey: KEY, iotEdge: true }],
      },
      ports: { mqtt: 8884 },
    });

    expect(plan.dps).toMatchObject({
      idScope: '0ne12345678',
      groups: [
        {
          enrollmentGroupId: 'line',
          attestation: { type: 'symmetricKey', primaryKey: KEY },
          capabilities: { iotEdge: true },
          allocationPolicy: 'hashed',
        },
      ],
    });
    expect(plan.ports).toEqual({ mqtt: 8884 });
  });

  test.each([
    ['no JSON', '{', /is not JSON/],
    ['no hub', { hubs: [] }, /hubs is empty: write a value/],
    [
      'a host name that is none',
      { hubs: [{ host: 'my-hub' }] },
      /hubs\[0\].host .*write a classic host name/,
    ],
    [
      'an unknown field',
      { hubs: [{ host: HOST, route: [] }] },
      /hubs\[0\] contains the unknown field "route": did you mean "routing"/,
    ],
    [
      'two hubs of a name',
      { hubs: [{ host: HOST }, { host: HOST.toUpperCase() }] },
      /hubs\[1\].host is ".*": an earlier entry/,
    ],
    [
      'an unknown linked hub',
      { hubs: [{ host: HOST }], dps: { linkedHubs: ['other.azure-devices.net'] } },
      /dps.linkedHubs\[0\] is "other.azure-devices.net": unknown hub/,
    ],
    [
      'a wrong port',
      { hubs: [{ host: HOST }], ports: { mqtt: 70_000 } },
      /ports.mqtt is 70000: write a number of at most 65535/,
    ],
    [
      'a wrong condition',
      {
        hubs: [
          {
            host: HOST,
            routing: {
              routes: [{ name: 'r', source: 'DeviceMessages', condition: 'a =', endpointNames: ['events'] }],
            },
          },
        ],
      },
      /hubs\[0\].routing.routes\[0\].condition is "a =": at character 4/,
    ],
    [
      'a policy without its webhook',
      {
        hubs: [{ host: HOST }],
        dps: { enrollmentGroups: [{ id: 'g', primaryKey: KEY, allocationPolicy: 'custom' }] },
      },
      /webhookUrl is for the allocation policy custom/,
    ],
    [
      'an Event Hub with the name of a built-in endpoint',
      { hubs: [{ host: HOST }], eventHubs: [{ name: 'iothub-ehub-my-hub' }] },
      /eventHubs\[0\].name/,
    ],
  ])('is refused with %s', (_what, content, message) => {
    expect(problemsOf(content).join('\n')).toMatch(message);
  });

  test('never shows a key in a message', () => {
    const secret = 'bm90LXRvLWJlLXNob3du!';
    const text = problemsOf({
      hubs: [{ host: HOST }],
      dps: { enrollmentGroups: [{ id: 'g', primaryKey: secret }] },
    });

    expect(text.join()).toContain('primaryKey');
    expect(text.join()).not.toContain(secret);
  });
});

test('schemas/local.schema.json is the schema of local.json: run npm run schema after a change', () => {
  const committed: unknown = JSON.parse(readFileSync('schemas/local.schema.json', 'utf8'));

  expect(committed).toEqual(JSON.parse(JSON.stringify(localFileJsonSchema())));
});

test('the example in docs/local.md is valid', () => {
  const [, example = ''] =
    /## local\.json.*?```jsonc\n(.*?)```/s.exec(readFileSync('docs/local.md', 'utf8')) ?? [];

  expect(problemsOf(example)).toEqual([]);
});

describe('the plan of a stack without Berth', () => {
  test('has one hub in a folder without files', () => {
    expect(plainPlan(temporaryFolder('empty'), undefined).hubs.map(({ host }) => host)).toEqual([
      'local-hub.azure-devices.net',
    ]);
  });

  test('refuses a file that does not exist', () => {
    expect(() => plainPlan(temporaryFolder('empty'), 'mine.json')).toThrow(/mine.json cannot be read/);
  });

  test('gives hubs of one name in two clouds different built-in endpoints', () => {
    expect(['hub.azure-devices.net', 'hub.azure-devices.cn'].map(builtInEventHub)).toEqual([
      'iothub-ehub-hub',
      'iothub-ehub-hub-cn',
    ]);
  });
});
