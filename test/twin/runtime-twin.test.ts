import { describe, expect, test } from '@jest/globals';
import type { JsonObject } from '../../src/json/json.ts';
import { applyEvent } from '../../src/twin/events/apply-event.ts';
import { decodeEvent, modulesFollowed } from '../../src/twin/events/event.ts';
import { type Redaction, redactEvent, redactKept, redactTwin } from '../../src/twin/events/redact.ts';
import { redactBody } from '../../src/twin/redaction/redact-body.ts';
import type { Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { readTwin, type Twin } from '../../src/twin/snapshot/twin.ts';
import { edgeFleet, HOST } from '../edge/edge-devices.ts';
import { snapshotOf } from './twins.ts';

const SECRET = 'Hunter2Hunter2';
const ID = { host: HOST, deviceId: 'gateway-1', moduleId: '$edgeAgent' };
const HIDING: Redaction = { paths: [], key: Buffer.alloc(32, 1), hidesRuntime: true };

/** What `$edgeAgent` desires or reports, with a secret in each place that may have one. */
const MANIFEST: JsonObject = {
  runtime: {
    type: 'docker',
    settings: { registryCredentials: { acr: { address: 'a.io', username: SECRET, password: SECRET } } },
  },
  systemModules: { edgeHub: { settings: { image: 'hub:1' }, env: { KEY: { value: SECRET } } } },
  modules: { sensor: { settings: { image: 'sensor:1' }, env: { KEY: { value: SECRET } } } },
};
const document = (desired: JsonObject, reported: JsonObject, rest: JsonObject = {}): Twin => {
  const twin = readTwin({
    version: 4,
    etag: 'AAAA',
    properties: {
      desired: { ...desired, $version: 2, $metadata: { $lastUpdated: '2026-11-28T10:00:00.0000000Z' } },
      reported: {
        ...reported,
        $version: 2,
        $metadata: {
          $lastUpdated: '2026-11-28T10:00:30.0000000Z',
          lastDesiredStatus: { $lastUpdated: '2026-11-28T10:00:20.0000000Z' },
        },
      },
    },
    ...rest,
  });
  if (twin === undefined) throw new Error('not a twin');
  return twin;
};
const update = (change: { desired?: JsonObject; reported?: JsonObject }, version: number) => {
  const section = (values: JsonObject) => ({ values, version: 3, metadata: {} });
  return {
    kind: 'update' as const,
    id: ID,
    time: '2026-11-28T10:01:00.0000000Z' as never,
    change: {
      version,
      tags: undefined,
      desired: change.desired === undefined ? undefined : section(change.desired),
      reported: change.reported === undefined ? undefined : section(change.reported),
    },
  };
};
const agentSnapshot = (): Snapshot => {
  const known = applyEvent(
    { kind: 'nothing' },
    { kind: 'create', id: ID, time: '2026-11-28T10:00:30.0000000Z' as never, twin: document({}, {}) },
    [],
  );
  if (known.kind !== 'snapshot') throw new Error(known.kind);
  return known.snapshot;
};

describe('secrets in the twins of IoT Edge itself', () => {
  test('are hidden in a whole twin, in desired and reported alike', () => {
    const twin = redactTwin(document(MANIFEST, MANIFEST), HIDING, '$edgeAgent');

    expect(JSON.stringify(twin)).not.toContain(SECRET);
    expect(twin.desired.values).toMatchObject({ modules: { sensor: { settings: { image: 'sensor:1' } } } });
  });

  test.each(['desired', 'reported'] as const)('are hidden in an event that changes %s', (section) => {
    const event = redactEvent(update({ [section]: MANIFEST }, 5), HIDING);

    expect(JSON.stringify(event)).not.toContain(SECRET);
    expect(JSON.stringify(event)).toContain('sensor:1');
  });

  test('are hidden in an event that changes one variable only', () => {
    const event = redactEvent(
      update({ reported: { modules: { sensor: { env: { KEY: { value: SECRET } } } } } }, 5),
      HIDING,
    );

    expect(JSON.stringify(event)).not.toContain(SECRET);
  });

  test('are hidden in a stored snapshot', () => {
    const kept = redactKept({ ...snapshotOf({ desired: MANIFEST, reported: MANIFEST }), id: ID }, HIDING);

    expect(JSON.stringify(kept)).not.toContain(SECRET);
  });

  test('are hidden in a dead letter', () => {
    const body = { properties: { desired: MANIFEST, reported: MANIFEST } };

    expect(Buffer.from(redactBody(Buffer.from(JSON.stringify(body)), HIDING).body).toString()).not.toContain(
      SECRET,
    );
  });

  test('a device twin keeps properties with the same names', () => {
    const twin = document({ modules: { sensor: { env: 'outdoor' } } }, {});

    expect(redactTwin(twin, HIDING, undefined)).toBe(twin);
  });

  test('equal variables have equal hashes, so that a change is seen', () => {
    const hashOf = (value: string) =>
      redactTwin(document({ modules: { sensor: { env: { A: { value } } } } }, {}), HIDING, '$edgeAgent')
        .desired.values;

    expect(hashOf('one')).toEqual(hashOf('one'));
    expect(hashOf('one')).not.toEqual(hashOf('two'));
  });
});

describe('the snapshot of $edgeAgent', () => {
  test('has the times of the manifest and of the last status', () => {
    const known = applyEvent(
      { kind: 'nothing' },
      { kind: 'create', id: ID, time: '2026-11-28T10:00:30.0000000Z' as never, twin: document({}, {}) },
      [],
    );

    expect(known).toMatchObject({
      snapshot: {
        runtime: {
          desiredAt: '2026-11-28T10:00:00.0000000Z',
          statusAt: '2026-11-28T10:00:20.0000000Z',
          configurations: [],
        },
      },
    });
  });

  test('names the hub configurations that target the device', () => {
    const twin = document({}, {}, { configurations: { 'base-1': { status: 'Applied' } } });
    const known = applyEvent(
      { kind: 'nothing' },
      { kind: 'create', id: ID, time: '2026-11-28T10:00:30.0000000Z' as never, twin },
      [],
    );

    expect(known).toMatchObject({ snapshot: { runtime: { configurations: ['base-1'] } } });
  });

  test('is read again after a deployment, because its event may not hold the whole manifest', () => {
    const known = applyEvent(
      { kind: 'snapshot', snapshot: agentSnapshot() },
      update({ desired: MANIFEST }, 5),
      [],
    );

    expect(known).toMatchObject({
      snapshot: { unread: { why: 'a deployment has changed its desired properties' } },
    });
  });

  test('takes a report without a read', () => {
    const reported = { lastDesiredStatus: { code: 200 } };
    const known = applyEvent({ kind: 'snapshot', snapshot: agentSnapshot() }, update({ reported }, 5), []);

    expect(known).toMatchObject({
      snapshot: { unread: undefined, reported, runtime: { statusAt: '2026-11-28T10:01:00.0000000Z' } },
    });
  });
});

describe('the capability of a device', () => {
  const device = { ...ID, moduleId: undefined };
  const created = (rest: JsonObject) =>
    applyEvent(
      { kind: 'nothing' },
      {
        kind: 'create',
        id: device,
        time: '2026-11-28T10:00:30.0000000Z' as never,
        twin: document({}, {}, rest),
      },
      [],
    );

  test.each([
    [true, { capabilities: { iotEdge: true } }],
    [false, { capabilities: { iotEdge: false } }],
    [undefined, {}],
  ])('iotEdge is %s', (isEdge, rest) => {
    const known = created(rest);

    expect(known.kind === 'snapshot' && known.snapshot.isEdge).toBe(isEdge);
  });

  test('is kept if a later document does not say it', () => {
    const known = applyEvent(
      created({ capabilities: { iotEdge: true } }),
      {
        kind: 'replace',
        id: device,
        time: '2026-11-28T10:02:00.0000000Z' as never,
        twin: { ...document({}, {}), version: 9 },
      },
      [],
    );

    expect(known).toMatchObject({ snapshot: { isEdge: true } });
  });
});

describe('the modules that Berth follows', () => {
  const event = {
    body: Buffer.from('{}'),
    properties: {
      hubName: 'weu',
      opType: 'deleteModuleIdentity',
      operationTimestamp: '2026-11-28T10:00:00Z',
    },
    systemProperties: {
      'iothub-message-source': 'deviceLifecycleEvents',
      'iothub-connection-device-id': 'gateway-1',
      'iothub-connection-module-id': '$edgeAgent',
    },
    enqueuedAt: '2026-11-28T10:00:01Z',
  };

  test('include those of IoT Edge itself if the fleet file has deployments', () => {
    const fleet = edgeFleet([{ name: 'a', routes: { r: 'FROM /* INTO $upstream' } }]);

    expect([...modulesFollowed(fleet)]).toEqual(['$edgeAgent', '$edgeHub']);
    expect([...modulesFollowed({ ...fleet, edge: undefined })]).toEqual([]);
  });

  test.each([
    [true, 'twin'],
    [false, 'ignored'],
  ])('an event of $edgeAgent that is followed (%s) is %s', (isTargeted, kind) => {
    expect(decodeEvent(event, { hubNamed: () => HOST, isTargeted: () => isTargeted }).kind).toBe(kind);
  });
});
