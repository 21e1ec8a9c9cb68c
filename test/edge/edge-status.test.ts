import { describe, expect, test } from '@jest/globals';
import {
  EDGE_DEADLINES,
  type EdgeObservation,
  edgeStatus,
  type RuntimeTwin,
} from '../../src/edge/edge-status.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { epochMs, plus } from '../../src/time/epoch-ms.ts';
import { edgeFleet, manifestOf } from './edge-devices.ts';

const APPLIED = epochMs(1_000_000_000);
const MINUTE = 60_000;
const SENSOR = 'contoso.azurecr.io/sensor:2';
const AGENT = 'mcr.microsoft.com/azureiotedge-agent:1.6';
const HUB = 'mcr.microsoft.com/azureiotedge-hub:1.6';
const WANTED = manifestOf(edgeFleet([{ name: 'sensor', modules: { sensor: { image: SENSOR } } }]));

const container = (image: string, runtimeStatus: string, rest: JsonObject = {}) => ({
  settings: { image },
  runtimeStatus,
  ...rest,
});

/** What a device reports that has taken version 5 and runs it, with changes. */
const reported = (
  changes: JsonObject = {},
  sensor: JsonObject | null = container(SENSOR, 'running'),
): JsonObject => ({
  lastDesiredVersion: 5,
  lastDesiredStatus: { code: 200, description: '' },
  systemModules: { edgeAgent: container(AGENT, 'running'), edgeHub: container(HUB, 'running') },
  modules: sensor === null ? {} : { sensor },
  ...changes,
});
const code = (number: number, lastDesiredVersion = 5, description = 'because') => ({
  lastDesiredVersion,
  lastDesiredStatus: { code: number, description },
});

const agent = (json: JsonObject, rest: Partial<RuntimeTwin> = {}): RuntimeTwin => ({
  desiredVersion: 5,
  reported: json,
  desiredAt: APPLIED,
  statusAt: plus(APPLIED, 20_000),
  ...rest,
});

interface Case {
  readonly observation: EdgeObservation;
  /** Minutes since the apply. Default: 1. */
  readonly after?: number;
}
const at = (json: JsonObject, rest: Partial<RuntimeTwin> = {}, after = 1): Case => ({
  observation: { agent: agent(json, rest), hub: undefined, isConnected: undefined },
  after,
});
const stateOf = ({ observation, after = 1 }: Case) =>
  edgeStatus(observation, WANTED, plus(APPLIED, after * MINUTE));

const OLD: Partial<RuntimeTwin> = { statusAt: plus(APPLIED, -MINUTE) };
const PULLED = EDGE_DEADLINES.pullMs / MINUTE + 1;

describe('the status of an IoT Edge device', () => {
  test.each<[string, Case, string, string]>([
    ['all four conditions hold', at(reported()), 'running', ''],
    [
      'the device has never reported',
      at({}, { statusAt: undefined }),
      'applied',
      'has not taken version 5 yet',
    ],
    ['the device reports an older version', at(reported(code(200, 4)), OLD), 'applied', 'reports version 4'],
    [
      'the device reports an older version for 11 minutes',
      at(reported(code(200, 4)), OLD, 11),
      'offline',
      'reports version 4',
    ],
    ['a long pull reports 500', at(reported(code(500))), 'pending', 'edgeAgent reports 500: because'],
    [
      '500 lasts longer than the deadline',
      at(reported(code(500)), {}, PULLED),
      'failed',
      'edgeAgent reports 500',
    ],
    ['500 belongs to the older version', at(reported(code(500, 4)), OLD), 'applied', 'reports version 4'],
    [
      'an invalid manifest with the new version',
      at(reported(code(400))),
      'failed',
      'cannot read it (400: because)',
    ],
    [
      'an invalid manifest with the old version',
      at(reported(code(400, 4))),
      'failed',
      'cannot read it (400: because)',
    ],
    [
      'an invalid manifest of a new device',
      at(reported(code(400, 0))),
      'failed',
      'cannot read it (400: because)',
    ],
    ['400 from before the apply', at(reported(code(400, 4)), OLD), 'applied', 'reports version 4'],
    [
      'an unsupported schema version',
      at(reported(code(412, 4))),
      'failed',
      'does not support its schema version (412',
    ],
    ['412 from before the apply', at(reported(code(412, 4)), OLD), 'applied', 'reports version 4'],
    [
      '406 while edgeAgent is replaced',
      at(reported(code(406, 4))),
      'pending',
      'edgeAgent is stopped or restarts (406)',
    ],
    ['406 for 11 minutes', at(reported(code(406, 4)), {}, 11), 'offline', '406'],
    ['406 with the new version', at(reported(code(406))), 'pending', '406'],
    ['406 from before the apply', at(reported(code(406, 4)), OLD), 'applied', 'reports version 4'],
    ['417 of a new device', at(code(417, 0), OLD), 'applied', 'reports version 0'],
    ['417 with the new version', at(reported(code(417))), 'pending', 'empty configuration (417)'],
    ['417 with the new version for 11 minutes', at(reported(code(417)), {}, 11), 'failed', '417'],
    ['an unknown code', at(reported(code(599))), 'pending', 'edgeAgent reports 599'],
    ['a status without a code', at(reported({ lastDesiredStatus: null })), 'pending', 'reports no code'],
    ['a module is not reported', at(reported({}, null)), 'pending', 'sensor is not reported yet'],
    [
      'a module is not reported for 11 minutes',
      at(reported({}, null), {}, 11),
      'failed',
      'sensor is not reported yet',
    ],
    [
      'a module has the old image',
      at(reported({}, container('contoso.azurecr.io/sensor:1', 'running'))),
      'pending',
      'still has the image contoso.azurecr.io/sensor:1',
    ],
    [
      'a module has the old image for 11 minutes',
      at(reported({}, container('contoso.azurecr.io/sensor:1', 'running')), {}, 11),
      'failed',
      'still has the image',
    ],
    [
      'a module is in a crash loop under code 200',
      at(reported({}, container(SENSOR, 'backoff', { exitCode: 139 }))),
      'backingOff',
      'sensor ended with exit code 139',
    ],
    [
      'a module has failed under code 200',
      at(reported({}, container(SENSOR, 'failed', { exitCode: 1 }))),
      'failed',
      'sensor ended with exit code 1',
    ],
    [
      'a module is unhealthy',
      at(reported({}, container(SENSOR, 'unhealthy'))),
      'unhealthy',
      'its health check fails',
    ],
    [
      'a module has stopped for a moment',
      at(reported({}, container(SENSOR, 'stopped', { exitCode: 0 }))),
      'pending',
      'sensor is stopped with exit code 0',
    ],
    [
      'a module of unknown status',
      at(reported({}, container(SENSOR, 'unknown'))),
      'pending',
      'has the status unknown',
    ],
    [
      'edgeHub does not run',
      at(
        reported({
          systemModules: { edgeAgent: container(AGENT, 'running'), edgeHub: container(HUB, 'backoff') },
        }),
      ),
      'backingOff',
      'edgeHub ended',
    ],
    [
      'edgeAgent has the old image',
      at(
        reported({
          systemModules: {
            edgeAgent: container(`${AGENT}.0`, 'running'),
            edgeHub: container(HUB, 'running'),
          },
        }),
      ),
      'pending',
      'edgeAgent still has the image',
    ],
    ['modules are not an object', at(reported({ modules: 'none' })), 'pending', 'sensor is not reported yet'],
  ])('%s', (_, given, status, why) => {
    const state = stateOf(given);

    expect([state.status, state.isInSync]).toEqual([status, status === 'running']);
    expect(state.why).toContain(why);
  });

  test('a device that is connected may take an hour, because it reads its whole twin hourly', () => {
    const observation = { agent: agent(reported(code(200, 4)), OLD), hub: undefined, isConnected: true };

    expect(stateOf({ observation, after: 60 }).status).toBe('applied');
    expect(stateOf({ observation, after: 71 }).status).toBe('failed');
  });

  test('a device that is not connected is offline and stays in sync', () => {
    const observation = { agent: agent(reported()), hub: undefined, isConnected: false };

    expect(stateOf({ observation })).toMatchObject({ status: 'offline', isInSync: true });
  });

  test('a device that is not connected and has not taken the manifest is offline at once', () => {
    const observation = { agent: agent(reported(code(200, 4)), OLD), hub: undefined, isConnected: false };

    expect(stateOf({ observation })).toMatchObject({ status: 'offline', isInSync: false });
  });

  test('a state that passes says when its deadline is over', () => {
    expect(stateOf(at(reported(code(500)))).nextAt).toBe(plus(APPLIED, EDGE_DEADLINES.pullMs));
    expect(stateOf(at(reported(code(500)), {}, PULLED)).nextAt).toBeUndefined();
    expect(stateOf(at(reported())).nextAt).toBeUndefined();
  });

  test('routes that edgeHub refuses are a failure, although edgeAgent reports 200', () => {
    const hub = agent(code(400, 5, 'Error while parsing desired properties'));
    const observation = { agent: agent(reported()), hub, isConnected: true };

    expect(stateOf({ observation })).toMatchObject({
      status: 'failed',
      isInSync: false,
      why: 'edgeHub refuses its routes (400: Error while parsing desired properties)',
    });
  });

  test('a device is in sync only when edgeHub has taken its routes too', () => {
    const before = { agent: agent(reported()), hub: agent(code(200, 4), OLD), isConnected: true };
    const after = { agent: agent(reported()), hub: agent(code(200, 5)), isConnected: true };

    expect(stateOf({ observation: before })).toMatchObject({ status: 'pending', isInSync: false });
    expect(stateOf({ observation: after })).toMatchObject({ status: 'running', isInSync: true });
  });

  test('modules that the manifest no longer has are named', () => {
    const state = stateOf(
      at(reported({ modules: { sensor: container(SENSOR, 'running'), old: container('a:1', 'running') } })),
    );

    expect(state.leftovers).toEqual(['old']);
  });

  test('each module has its own status, image and number of restarts', () => {
    const { modules } = stateOf(
      at(reported({}, container(SENSOR, 'backoff', { restartCount: 7, exitCode: 1 }))),
    );

    expect(modules).toEqual([
      expect.objectContaining({ name: 'edgeAgent', status: 'running', image: AGENT }),
      expect.objectContaining({ name: 'edgeHub', status: 'running', image: HUB }),
      expect.objectContaining({ name: 'sensor', status: 'backingOff', restartCount: 7, exitCode: 1 }),
    ]);
  });
});

describe('the wanted status and image of a module', () => {
  const stateWith = (wanted: JsonObject, report: JsonObject) => {
    const fleet = edgeFleet([{ name: 'sensor', modules: { sensor: { image: SENSOR, ...wanted } } }]);
    const observation = { agent: agent(reported({}, report)), hub: undefined, isConnected: undefined };
    return edgeStatus(observation, manifestOf(fleet), plus(APPLIED, MINUTE)).status;
  };

  test.each<[string, JsonObject, JsonObject, string]>([
    [
      'a module that should be stopped and is',
      { status: 'stopped' },
      container(SENSOR, 'stopped'),
      'running',
    ],
    [
      'a module that should be stopped and runs',
      { status: 'stopped' },
      container(SENSOR, 'running'),
      'pending',
    ],
    [
      'a module that never restarts and has ended',
      { restartPolicy: 'never' },
      container(SENSOR, 'stopped', { exitCode: 0 }),
      'failed',
    ],
    ['an image without its tag', { image: 'sensor' }, container('sensor:latest', 'running'), 'running'],
    [
      'an image of a registry with a port',
      { image: 'localhost:5000/sensor' },
      container('localhost:5000/sensor:latest', 'running'),
      'running',
    ],
    [
      'an image that comes from the parent',
      { image: '$upstream:443/sensor:2' },
      container('parent:443/sensor:2', 'running'),
      'running',
    ],
    [
      'another image that comes from the parent',
      { image: '$upstream:443/sensor:2' },
      container('parent:443/sensor:1', 'running'),
      'pending',
    ],
  ])('%s', (_, wanted, report, status) => {
    expect(stateWith(wanted, report)).toBe(status);
  });
});
