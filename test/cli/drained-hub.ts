import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { NoRetry } from 'azure-iot-common';
import { Client } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { aborted } from '../../local/aborted.ts';
import { deriveDeviceKey, type IndividualEnrollment } from '../../local/dps/index.ts';
import { listen as listenOn } from '../../local/listen.ts';
import { drainCause } from '../../src/allocation/moves/moves.ts';
import type { HubState } from '../../src/fleet/hub-state.ts';
import { allocateDevice } from '../../src/functions/allocate-device.ts';
import { DEVELOPMENT_POLICY } from '../../src/hub/development.ts';
import { Instance } from '../../src/instance/instance.ts';
import { type HostName, hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { sharedAccessCredential } from '../../src/rest/credential.ts';
import { type EpochMs, epochMs, plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import { NO_HISTORY } from '../../src/twin/snapshot/snapshot.ts';
import { GROUP_KEY, startLocalDps } from '../local/dps/local-dps.ts';
import { EUS, testKey, WEU } from '../local/iot-hub/local-hubs.ts';
import { realTime } from '../support/clock.ts';
import { call } from '../support/http-call.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { snapshotOf } from '../twin/twins.ts';
import { listen, type Spoken } from './terminals.ts';

/** The hub that drains, and the other hub of the fleet. */
export const DRAINED = hostName(WEU);
export const OTHER = hostName(EUS);
/** A device that is not connected tries again after this time. */
const RETRY_MS = 50;
const LONGEST_CONNECT_MS = 3_000;
/** The key of every individual enrollment. */
const INDIVIDUAL_KEY = testKey(8);

/** What a device does when it has lost its connection. `registers`: it asks DPS. `stays`: it calls the same hub again. */
export type Firmware = 'registers' | 'stays';

/** An individual enrollment: by default enabled, with Berth's webhook. */
export type Individual = Pick<IndividualEnrollment, 'registrationId'> & Partial<IndividualEnrollment>;

export type DrainedHub = Awaited<ReturnType<typeof openDrainedHub>>;

/**
 * Two hubs, DPS with Berth's real webhook, the state tables, and devices with Microsoft's SDK. All have one clock: the real time,
 * which a test can move forward.
 *
 * @param allocation the section of the fleet file.
 */
export async function openDrainedHub(individuals: readonly Individual[] = [], allocation: JsonObject = {}) {
  let aheadMs = 0;
  const now = (): EpochMs => epochMs(Date.now() + aheadMs);
  let instance: Instance | undefined;
  const webhook = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    if (instance === undefined) throw new Error('DPS called the webhook before the instance was there');
    const answer = await call(allocateDevice(instance), { body: JSON.parse(text) });
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' }).end(answer.text);
  });
  const port = await listenOn(webhook, 0, 'the webhook');
  const custom = {
    allocationPolicy: 'custom',
    customAllocationDefinition: {
      webhookUrl: `http://127.0.0.1:${port}/api/allocate`,
      apiVersion: '2021-10-01',
    },
  } as const;
  const keys = (primaryKey: string) =>
    ({ type: 'symmetricKey', primaryKey, secondaryKey: testKey(6) }) as const;
  const local = await startLocalDps(
    [
      { enrollmentGroupId: 'contoso-devices', attestation: keys(GROUP_KEY), ...custom },
      ...individuals.map((each) => ({ attestation: keys(INDIVIDUAL_KEY), ...custom, ...each })),
    ],
    { now },
  );
  const env = {
    AzureWebJobsStorage: await storageAccount(),
    IOT_ENDPOINT: `http://127.0.0.1:${local.ports.rest}`,
    TWIN_EVENTS_PARTITIONS: '1',
  };
  const directory = temporaryFolder('drained-hub');
  // The budget of this tier delays no call.
  const hubs = [DRAINED, OTHER].map((host) => ({ host, region: 'westeurope', tier: 'S3', units: 1 }));
  writeFileSync(join(directory, 'fleet.json'), JSON.stringify({ hubs, allocation }));
  const app = new Instance({
    env,
    directory,
    build: '2026-11-23T00:00:00Z',
    now,
    wait: realTime,
    look: async () => ({ kind: 'positions', partitions: new Map() }),
    log: () => {},
  });
  instance = app;
  const { stores } = app;
  const { revision, file } = app.fleet.current();
  await stores.revisions.keep(revision, JSON.stringify({ ...file, $schema: undefined }), app.build);
  const devices: { stop(): void; readonly ended: Promise<void> }[] = [];

  async function set(host: HostName, state: HubState): Promise<void> {
    const by = { author: 'ada', reason: 'test', expiresAt: plus(now(), 86_400_000) };
    await stores.conditions.setOverrides(host, { state: { value: state, ...by } });
    await app.conditions.refresh();
  }

  /** A service call that does not come from Berth. */
  async function service(method: string, path: string, body?: JsonObject, host = DRAINED) {
    const authorization = await sharedAccessCredential(host, DEVELOPMENT_POLICY).authorization();
    const answer = await local.hubs.https.answer({
      method,
      host,
      path,
      query: new URLSearchParams({ 'api-version': '2021-04-12' }),
      headers: { authorization, 'if-match': '*' },
      body: Buffer.from(body === undefined ? '' : JSON.stringify(body)),
      certificates: [],
      rawHeaders: [],
    });
    return { status: answer.status, body: answer.body as Readonly<Record<string, unknown>> };
  }

  /** Registers a device and connects it. It keeps its connection as its firmware does, until the test ends. */
  async function startDevice(registrationId: string, firmware: Firmware): Promise<string> {
    const isIndividual = individuals.some((each) => each.registrationId === registrationId);
    const key = isIndividual ? INDIVIDUAL_KEY : deriveDeviceKey(GROUP_KEY, registrationId);
    const stopping = new AbortController();
    const register = () => local.register(registrationId, { key });
    let assigned = await register();
    const connect = async (): Promise<{ readonly client: Client; readonly gone: Promise<void> }> => {
      const { assignedHub, deviceId } = assigned;
      const client = Client.fromConnectionString(
        `HostName=${assignedHub};DeviceId=${deviceId};SharedAccessKey=${key};GatewayHostName=localhost:${local.ports.mqtt}`,
        Mqtt,
      );
      client.setRetryPolicy(new NoRetry());
      await client.setOptions({ ca: local.authority.root });
      const lost = new Promise<void>((resolve) => {
        client.on('disconnect', () => resolve());
        client.on('error', () => resolve());
      });
      const gone = Promise.race([lost, aborted(stopping.signal)]);
      // The SDK may never answer if the hub ends the connection at that moment.
      const late = setTimeout(LONGEST_CONNECT_MS, undefined, { ref: false }).then(() =>
        Promise.reject(new Error('no connection')),
      );
      try {
        await Promise.race([client.open(), late, gone.then(() => Promise.reject(new Error('gone')))]);
      } catch (error) {
        hangUp(client);
        throw error;
      }
      return { client, gone };
    };
    const first = await connect();
    const live = async () => {
      let { client, gone } = first;
      for (;;) {
        await gone;
        hangUp(client);
        for (let isBack = false; !isBack; ) {
          if (stopping.signal.aborted) return;
          try {
            if (firmware === 'registers') assigned = await register();
            ({ client, gone } = await connect());
            isBack = true;
          } catch {
            await realTime(RETRY_MS);
          }
        }
      }
    };
    devices.push({ stop: () => stopping.abort(), ended: live() });
    return assigned.deviceId;
  }

  /** The devices are gone for good. */
  async function stopDevices(): Promise<void> {
    for (const device of devices) device.stop();
    await Promise.all(devices.map(({ ended }) => ended));
  }

  return {
    stores,
    env,
    now,
    set,
    service,
    startDevice,
    /** Moves the clock of everything forward. */
    pass(ms: number): void {
      aheadMs += ms;
    },
    /** All devices that register from now on go to the hub that will drain. */
    fill: () => set(OTHER, 'cordoned'),
    /** Starts the drain. Every device is reached at once. */
    async drain(): Promise<void> {
      await set(OTHER, 'active');
      await set(DRAINED, 'draining');
      // As resyncFleet does within a minute.
      const conditions = await stores.conditions.read(now());
      await stores.conditions.recordCauses([drainCause(DRAINED)], conditions, now());
      await app.conditions.refresh();
    },
    /** A newer package without the drained hub in its fleet file runs. */
    async leaveFleet(): Promise<void> {
      const left = { ...file, hubs: file.hubs.filter(({ host }) => host !== DRAINED), $schema: undefined };
      await stores.revisions.keep('without the drained hub', JSON.stringify(left), '2026-11-24T00:00:00Z');
    },
    async identity(deviceId: string, host = DRAINED): Promise<Readonly<Record<string, unknown>> | undefined> {
      const { status, body } = await service('GET', `/devices/${deviceId}`, undefined, host);
      return status === 404 ? undefined : body;
    },
    create(deviceId: string, host = DRAINED): void {
      local.hubs.provisioning(host)?.create(deviceId, {
        authentication: {
          type: 'sas',
          symmetricKey: { primaryKey: testKey(1), secondaryKey: testKey(2) },
        },
        capabilities: { iotEdge: false },
        tags: {},
        desired: {},
        reported: {},
      });
    },
    /** Stores a snapshot in which Berth has asked the device to move. */
    async noteRequest(deviceId: string, at: EpochMs): Promise<void> {
      const id = { host: DRAINED, deviceId, moduleId: undefined };
      const key = app.fleet.current().twins.moveRequest?.leaf.key ?? '';
      const snapshot = snapshotOf({ id, paths: { [key]: { ...NO_HISTORY, oursAt: instantOf(at) } } });
      await stores.twins.save(await stores.twins.load(id), { kind: 'snapshot', snapshot });
    },
    /** A terminal of an operator, with the clock of everything. @param wait in place of a timer */
    operator(wait: (ms: number) => Promise<void>): Spoken {
      const spoken = listen(env, now);
      return { ...spoken, cli: { ...spoken.cli, wait } };
    },
    stopDevices,
    async close(): Promise<void> {
      await stopDevices();
      await app.stop();
      webhook.closeAllConnections();
      webhook.close();
      await local.close();
    },
  };
}

/** Does not wait: the SDK may never answer if the connection has ended already. */
function hangUp(client: Client): void {
  client.close().catch(() => {});
}
