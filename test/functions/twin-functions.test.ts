import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { HttpRequest, InvocationContext } from '@azure/functions';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Client } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { type CertificateAuthority, openAuthority } from '../../local/ca/index.ts';
import { type HttpServer, startHttp } from '../../local/https/index.ts';
import { createIotHubs, type HubEvent, type IotHubs } from '../../local/iot-hub/index.ts';
import { type MqttServer, startMqtt } from '../../local/mqtt/index.ts';
import { device } from '../../src/functions/device.ts';
import { resyncFleet } from '../../src/functions/resync-fleet.ts';
import { syncTwins } from '../../src/functions/sync-twins.ts';
import { Instance, type InstanceOptions } from '../../src/instance/instance.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { partitionOf, workItemKey } from '../../src/store/tables/keys.ts';
import { EPOCH, type EpochMs, epochMs, laterOf, plus, systemTime } from '../../src/time/epoch-ms.ts';
import { NEVER } from '../../src/time/instant.ts';
import { type Snapshot, unreadSnapshot } from '../../src/twin/snapshot/snapshot.ts';
import { letterOf } from '../store/letters.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const WEU = hostName('weu.azure-devices.net');
const KEY = Buffer.alloc(32, 7).toString('base64');
const FLEET = {
  // Its budget makes no test wait.
  hubs: [{ host: WEU, region: 'westeurope', tier: 'S3', units: 10 }],
  twins: {
    redact: ['wifi.psk'],
    policies: [
      { name: 'saver', when: 'reported.battery < 20', desired: { interval: 60 } },
      { name: 'base', desired: { interval: 5 } },
    ],
  },
};

let storage: string;
let directory: string;
let events: HubEvent[] = [];
let hubs: IotHubs;
let rest: HttpServer;
let mqtt: MqttServer;
let authority: CertificateAuthority;
let client: Client | undefined;
let instance: Instance;
let deviceId = '';
let count = 0;
let time: EpochMs = systemTime();
beforeAll(async () => {
  storage = await storageAccount();
  directory = temporaryFolder('twin-functions');
  writeFileSync(join(directory, 'fleet.json'), JSON.stringify(FLEET));
  hubs = createIotHubs({
    hubs: [{ host: WEU, tier: 'S3', units: 10 }],
    sink: () => (event) => void events.push(event),
  });
  rest = await startHttp({ port: 0, services: [hubs.https] });
  authority = await openAuthority();
  mqtt = await startMqtt({ port: 0, services: [hubs.mqtt], certificate: authority.server });
  instance = open();
});
afterAll(async () => {
  await instance.stop();
  await Promise.all([rest.close(), mqtt.close()]);
  hubs.close();
});
beforeEach(() => {
  // The instances see no time pass while a slow machine works: a batch then leaves no work to a later one.
  time = laterOf(time, systemTime());
  count += 1;
  deviceId = `pump-${count}`;
  events = [];
});
afterEach(async () => {
  await client?.close();
  client = undefined;
});

const env = () => ({
  AzureWebJobsStorage: storage,
  IOT_ENDPOINT: `http://127.0.0.1:${rest.port}`,
  TWIN_EVENTS_PARTITIONS: '4',
});
const now = () => time;
const open = (more: Partial<InstanceOptions> = {}) =>
  new Instance({
    env: env(),
    directory,
    build: '2026-11-23T00:00:00Z',
    now,
    log: () => {},
    ...more,
  });
const view = () => {
  const found = hubs.view(WEU);
  if (found === undefined) throw new Error('no hub');
  return found;
};
const create = (desired: JsonObject = { interval: 5 }) =>
  hubs.provisioning(WEU)?.create(deviceId, {
    authentication: { type: 'sas', symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
    capabilities: { iotEdge: false },
    tags: {},
    desired,
    reported: {},
  });
/** The device reports, over MQTT with Microsoft's SDK, and the events so far are answered. */
async function report(values: JsonObject): Promise<HubEvent[]> {
  client ??= Client.fromConnectionString(
    `HostName=${WEU};DeviceId=${deviceId};SharedAccessKey=${KEY};GatewayHostName=localhost:${mqtt.port}`,
    Mqtt,
  );
  await client.setOptions({ ca: authority.root });
  await client.open();
  const twin = await client.getTwin();
  await new Promise<void>((resolve, reject) => {
    twin.properties.reported.update(values, (error: Error | null) => (error ? reject(error) : resolve()));
  });
  return take();
}

interface Metadata {
  readonly [name: string]: unknown;
}
/** Calls the function as the host does: bodies as buffers, everything else in metadata of the same order. */
async function deliver(batch: readonly HubEvent[], more: Metadata = {}): Promise<readonly string[]> {
  const lines: string[] = [];
  const context = new InvocationContext({
    functionName: 'syncTwins',
    logHandler: (_, ...args) => void lines.push(args.join(' ')),
    triggerMetadata: {
      partitionContext: { partitionId: '2' },
      systemPropertiesArray: batch.map(({ annotations }, index) => ({
        ...annotations,
        sequenceNumber: 100 * count + index,
        // The host leaves out the zone.
        enqueuedTimeUtc: new Date(time).toISOString().slice(0, -1),
      })),
      propertiesArray: batch.map(({ properties }) => properties),
      ...more,
    } as NonNullable<ConstructorParameters<typeof InvocationContext>[0]>['triggerMetadata'] & object,
  });
  await syncTwins(instance)(
    batch.map(({ body }) => body),
    context,
  );
  return lines;
}
const snapshot = async (): Promise<Snapshot> => {
  const { known } = await instance.stores.twins.load({ host: WEU, deviceId, moduleId: undefined });
  if (known.kind !== 'snapshot') throw new Error(`no snapshot but ${known.kind}`);
  return known.snapshot;
};
const take = () => events.splice(0);
const today = () => new Date(time).toISOString().slice(0, 10);
const desired = () => (view().twin(deviceId)?.properties as JsonObject | undefined)?.desired as JsonObject;
const resync = () =>
  resyncFleet(instance)({}, new InvocationContext({ functionName: 'resyncFleet', logHandler: () => {} }));

describe('syncTwins against a real hub and real tables', () => {
  test('corrects a twin with one write and no read and treats the event of its own write as a replay', async () => {
    const before = { ...view().counters };
    create();
    await deliver(await report({ battery: 10 }));

    expect(desired()).toMatchObject({ interval: 60, $version: 2 });
    expect(view().counters.twinReads - before.twinReads).toBe(0);
    expect(view().counters.twinWrites - before.twinWrites).toBe(1);
    const stored = await snapshot();
    expect(stored).toMatchObject({
      lastReconcile: { status: 'pending' },
      writing: undefined,
      workItem: { priority: 'activity' },
    });
    expect(stored.paths.interval).toMatchObject({ foreign: [], writes: [{ value: 60, count: 1 }] });
  });

  test('corrects a portal edit with one read for the etag and one write', async () => {
    create();
    await deliver(take());
    const before = { ...view().counters };
    view().edit(deviceId, { properties: { desired: { interval: 99, other: 1 } } }, 'portal');

    await deliver(take());

    expect(desired()).toMatchObject({ interval: 5, other: 1 });
    expect(view().counters.twinReads - before.twinReads).toBe(1);
    expect(view().counters.twinWrites - before.twinWrites).toBe(1);
    expect((await snapshot()).paths.interval).toMatchObject({ foreign: [expect.any(String)] });
  });

  test('plans again for a twin that another writer changes in between', async () => {
    create();
    await deliver(take());
    const reported = await report({ battery: 10 });
    view().edit(deviceId, { tags: { unseen: true } }, 'service');

    await deliver(reported);

    expect(desired()).toMatchObject({ interval: 60 });
    expect((await snapshot()).tags).toEqual({ unseen: true });
  });

  test('removes a device after its deletion event and one that is gone without an event', async () => {
    create();
    await deliver(take());
    view().remove(deviceId);
    await deliver(take());
    expect((await instance.stores.twins.load({ host: WEU, deviceId, moduleId: undefined })).known.kind).toBe(
      'deleted',
    );

    deviceId = `${deviceId}-gone`;
    create();
    const reported = await report({ battery: 1 });
    view().remove(deviceId);
    await deliver(reported.filter(({ properties }) => properties.opType === 'updateTwin'));
    expect((await instance.stores.twins.load({ host: WEU, deviceId, moduleId: undefined })).known.kind).toBe(
      'deleted',
    );
  });

  test('stores no redacted value in the tables', async () => {
    create({ interval: 5, wifi: { psk: 'hunter2', ssid: 'x' } });
    await deliver(take());

    expect(JSON.stringify(await snapshot())).not.toContain('hunter2');
    expect((await snapshot()).desired).toMatchObject({ wifi: { ssid: 'x' } });
  });

  test('stores no redacted value from a list or from an event that cannot be read', async () => {
    create({ interval: 5, wifi: [{ psk: 'hunter2', ssid: 'x' }] });
    const [created] = take();
    if (created === undefined) throw new Error('no event');
    const poison = { ...created, properties: { ...created.properties, opType: 'paintTwin' } };
    await deliver([created, poison]);

    expect((await snapshot()).desired).toMatchObject({ wifi: [{ ssid: 'x' }] });
    const { deadLetters } = instance.stores;
    const [letter] = (await deadLetters.find(`${today()}/2/${100 * count + 1}`)) ?? [];
    const kept = letter === undefined ? undefined : await deadLetters.read(letter.key);
    expect(kept).toMatchObject({ isRedacted: true, code: 'BERTH_EVENT_INVALID' });
    expect(`${JSON.stringify(await snapshot())}${kept?.body}`).not.toContain('hunter2');
    expect(JSON.parse(String(kept?.body))).toMatchObject({
      properties: {
        desired: { wifi: [{ psk: expect.stringMatching(/^redacted:[0-9a-f]{24}$/), ssid: 'x' }] },
      },
    });
  });

  test('shows no redacted value that was stored before its path was redacted', async () => {
    const id = { host: WEU, deviceId, moduleId: undefined };
    const wifi = { psk: 'hunter2', ssid: 'x' };
    const stored = { ...unreadSnapshot(id, NEVER, ''), tags: { wifi } };
    await instance.stores.twins.save(await instance.stores.twins.load(id), {
      kind: 'snapshot',
      snapshot: stored,
    });
    const request = new HttpRequest({ method: 'GET', url: 'http://localhost/', params: { deviceId } });

    const { body } = await device(instance)(request, new InvocationContext());

    expect(String(body)).toContain('"ssid":"x"');
    expect(String(body)).toContain('"psk":"redacted:');
    expect(String(body)).not.toContain('hunter2');
  });

  test('stores twins whose texts contain line separators, several in one transaction', async () => {
    create({ interval: 5, note: 'a\u2028b\u2029' });

    await deliver(await report({ battery: 10, note: '\u2028' }));

    expect((await snapshot()).desired).toMatchObject({ interval: 60, note: 'a\u2028b\u2029' });
  });

  test('handles a creation event without a version with one read', async () => {
    const before = { ...view().counters };
    create();
    const [created] = take();
    if (created === undefined) throw new Error('no event');
    const { version: _, ...older } = JSON.parse(String(created.body)) as JsonObject;

    const lines = await deliver([{ ...created, body: Buffer.from(JSON.stringify(older)) }]);

    expect(await snapshot()).toMatchObject({ desired: { interval: 5 }, unread: undefined });
    expect(view().counters.twinReads - before.twinReads).toBe(1);
    expect(lines.join()).not.toContain('twinsSynchronised');
  });

  test('counts messages of unknown sources and removes old records', async () => {
    create();
    const [created] = take();
    if (created === undefined) throw new Error('no event');
    const annotations = { ...created.annotations, 'iothub-message-source': `moon${count}` };

    const lines = await deliver([
      { ...created, annotations },
      { ...created, annotations },
    ]);

    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ unknownSources: 2, deadLetters: 0, taken: 0 });
    expect(await instance.stores.unknownSources.list()).toContainEqual(
      expect.objectContaining({ hub: 'weu', source: `moon${count}`, events: 2 }),
    );
    const { deadLetters } = instance.stores;
    await deadLetters.keep(letterOf({ enqueuedAt: '2020-01-01T00:00:00.000Z' }));
    await resync();
    expect(await deadLetters.find('2020-01-01/3/1234')).toEqual([]);
  });

  test('handles all other events of a batch with invalid events and unknown hubs, and stores or counts those', async () => {
    create();
    const [created, ...others] = await report({ battery: 10 });
    const good = others.at(-1);
    if (created === undefined || good === undefined) throw new Error('no events');
    const poison = { ...good, body: Buffer.from('not json \u0000') };
    const nobody = {
      ...good,
      annotations: { 'iothub-message-source': 'twinChangeEvents' },
      properties: { hubName: 'weu' },
    };
    const foreign = { ...good, properties: { ...good.properties, hubName: `foreign-${count}` } };

    const lines = await deliver([created, poison, nobody, foreign, good]);

    expect(desired()).toMatchObject({ interval: 60 });
    const places = [1, 2].map((index) => `${today()}/2/${100 * count + index}`);
    const { deadLetters } = instance.stores;
    const found = (await Promise.all(places.map((place) => deadLetters.find(place)))).flatMap(
      (of) => of ?? [],
    );
    const letters = await Promise.all(found.map(({ key }) => deadLetters.read(key)));
    expect(letters.map((letter) => letter?.code)).toEqual([
      'BERTH_EVENT_NOT_JSON',
      'BERTH_EVENT_NO_IDENTITY',
    ]);
    expect(letters[0]?.body.toString()).toBe('not json \u0000');
    expect(await instance.stores.unknownHubs.list()).toContainEqual(
      expect.objectContaining({ hubName: `foreign-${count}`, events: 1 }),
    );
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
      event: 'twinsSynchronised',
      taken: 2,
      deadLetters: 2,
      unknownHubs: 1,
    });
  });

  test.each<[string, Metadata]>([
    ['shorter than the batch', { systemPropertiesArray: [] }],
    ['missing', { propertiesArray: undefined }],
    ['not a list', { systemPropertiesArray: 'x' }],
  ])(
    'sends the whole batch to the dead letters when its metadata is %s, so that no event changes the wrong twin',
    async (_, metadata) => {
      create();
      const reported = await report({ battery: 10 });

      const lines = await deliver(reported.slice(-1), metadata);

      expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ deadLetters: 1, taken: 0 });
      expect(desired()).toMatchObject({ interval: 5 });
    },
  );

  test('logs the age of late events and logs nothing for events in time', async () => {
    create();
    const batch = take();
    const enqueued = (ago: number) => ({
      systemPropertiesArray: batch.map(({ annotations }, index) => ({
        ...annotations,
        sequenceNumber: 100 * count + index,
        enqueuedTimeUtc: new Date(plus(now(), -ago)).toISOString(),
      })),
    });

    const late = await deliver(batch, enqueued(120_000));
    const inTime = await deliver(batch, enqueued(1_000));

    const [line] = late.map((text) => JSON.parse(text)).filter(({ event }) => event === 'twinEventsLate');
    expect(line).toMatchObject({ partition: '2', events: batch.length });
    expect(line.ageMs).toBeGreaterThanOrEqual(120_000);
    expect(inTime.join()).not.toContain('twinEventsLate');
  });

  test('fails only when the tables are unavailable, so that the batch is delivered again', async () => {
    const away = open({
      env: {
        ...env(),
        AzureWebJobsStorage: storage.replace(
          /TableEndpoint=[^;]+/,
          'TableEndpoint=http://127.0.0.1:9/devstoreaccount1',
        ),
      },
    });
    create();
    const hosted = instance;
    instance = away;

    await expect(deliver(take())).rejects.toMatchObject({ code: 'BERTH_STORE_UNAVAILABLE' });
    instance = hosted;
    await away.stop();
  });
});

describe('resyncFleet', () => {
  test('counts devices and twins and does the work items whose time has come', async () => {
    create();
    const reported = await report({ battery: 10 });
    const offline = open({ env: { ...env(), IOT_ENDPOINT: 'http://127.0.0.1:9' } });
    const hosted = instance;
    instance = offline;
    await deliver(reported);
    instance = hosted;
    const workItem = (await snapshot()).workItem;
    expect(workItem).toMatchObject({
      priority: 'drift',
      why: expect.stringContaining('could not be reached'),
    });
    expect(desired()).toMatchObject({ interval: 5 });

    // Devices of a hub are counted every ten seconds at most.
    const later = open({ now: () => plus(laterOf(time, workItem?.at ?? EPOCH), 10_000) });
    instance = later;
    await resync();
    instance = hosted;

    expect(desired()).toMatchObject({ interval: 60 });
    expect((await snapshot()).workItem).toMatchObject({ priority: 'activity' });
    const counts = await instance.stores.twinCounts.of(WEU);
    expect(counts.countedAt).toBeGreaterThan(0);
    expect(counts.statuses.pending).toBeGreaterThan(0);
    expect((await instance.stores.conditions.read(now())).hubs.get(WEU)?.devices?.count).toBe(
      view().deviceCount,
    );
    await Promise.all([offline.stop(), later.stop()]);
  });

  test('removes a work item that its twin does not have', async () => {
    create();
    await deliver(take());
    const id = { host: WEU, deviceId, moduleId: undefined };
    const { known } = await instance.stores.twins.load(id);
    const ghost = { ...id, deviceId: `${deviceId}-ghost` };
    const record = await instance.stores.twins.load(ghost);
    if (known.kind !== 'snapshot') throw new Error(known.kind);
    // A work item without its snapshot, as a restored table could hold it.
    const saved = await instance.stores.twins.save(record, {
      kind: 'snapshot',
      snapshot: {
        ...known.snapshot,
        id: ghost,
        workItem: { priority: 'edit', at: epochMs(5), why: 'test', tries: 0 },
      },
    });
    if (saved === 'conflict') throw new Error(saved);
    await instance.stores.twins.save(
      { ...saved, known: { kind: 'nothing' } },
      { kind: 'snapshot', snapshot: { ...known.snapshot, id: ghost } },
    );
    expect(await instance.stores.twins.dueItems(partitionOf(ghost), 'edit', now(), 9)).toMatchObject({
      items: [{ rowKey: workItemKey(ghost, 'edit', epochMs(5)) }],
    });

    await resync();

    expect(await instance.stores.twins.dueItems(partitionOf(ghost), 'edit', now(), 9)).toMatchObject({
      items: [],
    });
  });

  test('runs in one instance at a time', async () => {
    const lease = instance.lease('resync');
    const other = open();
    await other.lease('resync').take(now(), 5_000);
    const statistics = view().counters.statisticsReads;

    await resync();

    expect(view().counters.statisticsReads).toBe(statistics);
    expect(await lease.take(now(), 1)).toBe(false);
    await other.lease('resync').release();
    await other.stop();
  });

  test('marks a hub that does not answer as unhealthy after three runs, and as healthy when it answers again', async () => {
    const hosted = instance;
    const away = open({ env: { ...env(), IOT_ENDPOINT: 'http://127.0.0.1:9' } });
    instance = away;
    for (let run = 0; run < 3; run += 1) {
      time = plus(time, 60_000);
      await resync();
    }
    const failures = (await hosted.stores.conditions.read(EPOCH)).hubs.get(WEU)?.failures;
    const back = open();
    instance = back;
    time = plus(time, 60_000);
    await resync();
    instance = hosted;

    expect(failures).toBe(3);
    expect((await hosted.stores.conditions.read(EPOCH)).hubs.get(WEU)?.failures).toBe(0);
    await Promise.all([away.stop(), back.stop()]);
  });

  test.each([
    [401, 401002, 0],
    [403, 403002, 0],
    [429, 429001, 0],
    [503, 503003, 1],
  ])(
    'treats a hub that answers %i (%i) as having failed %i times, because a refusal does not make it less healthy',
    async (status, errorCode, failures) => {
      const server = createServer((_, response) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ errorCode, message: 'no' }));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      await instance.stores.conditions.recordCount(WEU, 5, EPOCH);
      const asking = open({ env: { ...env(), IOT_ENDPOINT: `http://127.0.0.1:${port}` } });
      const hosted = instance;
      instance = asking;
      await resync();
      instance = hosted;
      await asking.stop();
      server.closeAllConnections();
      server.close();

      const found = (await instance.stores.conditions.read(EPOCH)).hubs.get(WEU);
      expect(found).toMatchObject({ devices: { count: 5 }, failures });
    },
  );

  test('starts no gradual move in an older package', async () => {
    const drainingDirectory = temporaryFolder('draining');
    writeFileSync(
      join(drainingDirectory, 'fleet.json'),
      JSON.stringify({ ...FLEET, hubs: FLEET.hubs.map((hub) => ({ ...hub, state: 'draining' })) }),
    );
    await instance.stores.control.update((control) => ({
      ...control,
      newestBuild: '2026-11-23T00:00:00Z',
    }));
    const causes = async () => [...(await instance.stores.conditions.read(EPOCH)).causes.keys()];
    const hosted = instance;
    for (const [build, expected] of [
      ['2026-11-22T00:00:00Z', []],
      ['2026-11-23T00:00:00Z', [`drain:${WEU}`]],
    ] as const) {
      instance = open({ directory: drainingDirectory, build });
      await resync();
      await instance.stop();
      instance = hosted;

      expect(await causes()).toEqual(expected);
    }
  });
});
