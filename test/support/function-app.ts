import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvocationContext } from '@azure/functions';
import { type HttpRequest, type HttpResponse, type HttpServer, startHttp } from '../../local/https/index.ts';
import {
  type AppNeeds,
  createIotHubs,
  type HubEvent,
  type HubView,
  type IotHubs,
} from '../../local/iot-hub/index.ts';
import type { MqttService } from '../../local/mqtt/index.ts';
import { resyncFleet } from '../../src/functions/resync-fleet.ts';
import { syncTwins } from '../../src/functions/sync-twins.ts';
import { DEVELOPMENT_POLICY } from '../../src/hub/development.ts';
import { Instance } from '../../src/instance/instance.ts';
import { type HostName, hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
import type { Look } from '../../src/liveness/reader.ts';
import { sharedAccessCredential } from '../../src/rest/credential.ts';
import { openTables, type Tables } from '../../src/store/tables/tables.ts';
import type { EpochMs } from '../../src/time/epoch-ms.ts';
import type { Known } from '../../src/twin/events/apply-event.ts';
import type { Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';
import { TestClock } from './clock.ts';
import { storageAccount } from './storage-account.ts';
import { temporaryFolder } from './temporary-folder.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');

/**
 * A proxy before the hubs. It answers a call itself, or returns `undefined` to let the hub answer. `serve` lets the hub
 * execute the call.
 */
export type Front = (
  request: HttpRequest,
  serve: () => Promise<HttpResponse>,
) => Promise<HttpResponse> | undefined;

/** A structured log line. */
export interface Line {
  readonly event: string;
  readonly code?: string;
  readonly [fact: string]: JsonValue | undefined;
}

export interface FunctionAppOptions {
  /** Policies of the fleet file; default: one that wants `interval` 5. */
  readonly policies?: readonly object[];
  /** Deployments of IoT Edge; default: none. */
  readonly edge?: object;
  /** The custom roles of the app. Default: those that the fleet file needs. */
  readonly roles?: AppNeeds;
  /** The section `allocation` of the fleet file. */
  readonly allocation?: object;
  /** DTDL files next to the fleet file, by their names. */
  readonly models?: Readonly<Record<string, object>>;
  /** Additional fields of each hub of the fleet file; default: one hub. */
  readonly hubs?: readonly object[];
  /** Connection string of the storage account of the instances; default: a new account. */
  readonly storage?: string;
  /** The hubs have the clock of the instances. Default: they have the real time. */
  readonly isOneClock?: boolean;
  /** Connection string that the instances use, if there is a proxy before the account. */
  readonly tables?: string;
}

/**
 * Local hubs behind a proxy, and instances of the app with these hubs as their fleet. The functions run as in the host,
 * and reach the hubs and Azurite over HTTP.
 */
export class FunctionApp {
  readonly hosts: readonly HostName[];
  readonly events: HubEvent[] = [];
  /** Calls that reached the proxy, such as `PATCH /twins/pump`. */
  readonly calls: string[] = [];
  front: Front | undefined;
  /** What the instances see of the Event Hub and of the checkpoints. Default: everything is read. */
  look: Look = {
    kind: 'positions',
    partitions: new Map([['0', { last: 0, isEmpty: false, checkpoint: 0 }]]),
  };
  /** Whether the app has the role that enters parents in identities. */
  allowsScopes = true;
  /** Whether the app has the role that calls direct methods. */
  allowsMethods = true;
  /** Log lines of the instances outside of functions. */
  readonly lines: Line[] = [];
  readonly clock = new TestClock();
  readonly #options: FunctionAppOptions;
  readonly #storage: string;
  readonly #hubs: IotHubs;
  readonly #directory: string;
  readonly #instances: Instance[] = [];
  #rest: HttpServer | undefined;
  #sequence = 0;

  static async open(options: FunctionAppOptions = {}): Promise<FunctionApp> {
    const app = new FunctionApp(options, options.storage ?? (await storageAccount()));
    const { https } = app.#hubs;
    app.#rest = await startHttp({
      port: 0,
      services: [
        {
          names: https.names,
          claims: () => true,
          async answer(request) {
            app.calls.push(`${request.method} ${request.path}`);
            const serve = () => https.answer(request);
            const answer = await ((await app.front?.(request, serve)) ?? serve());
            // The hub has the time of the instances.
            return { ...answer, headers: { date: new Date(app.now).toUTCString(), ...answer.headers } };
          },
        },
      ],
    });
    return app;
  }

  private constructor(options: FunctionAppOptions, storage: string) {
    this.#options = options;
    this.#storage = storage;
    const { hubs = [{}], policies = [{ name: 'base', desired: { interval: 5 } }], models = {} } = options;
    this.hosts = hubs.map((_, index) => hostName(`hub-${index}.azure-devices.net`));
    this.#directory = temporaryFolder('app');
    this.writeFleet(policies);
    mkdirSync(join(this.#directory, 'models'));
    for (const [name, model] of Object.entries(models)) {
      writeFileSync(join(this.#directory, 'models', name), JSON.stringify(model));
    }
    this.#hubs = createIotHubs({
      hubs: this.hosts.map((host) => ({ host, tier: 'S3', units: 10 })),
      ...(options.isOneClock === true ? { now: this.clock.now } : {}),
      sink: () => (event) => void this.events.push(event),
      appNeeds: () => ({
        appliesManifests: options.roles?.appliesManifests ?? options.edge !== undefined,
        setsScopes: this.allowsScopes,
        callsMethods: this.allowsMethods,
      }),
    });
  }

  /** Writes the fleet file for all instances that are created later. */
  writeFleet(policies: readonly object[], allocation = this.#options.allocation): void {
    const { hubs = [{}] } = this.#options;
    const fleet = {
      hubs: hubs.map((hub, index) => ({
        host: this.hosts[index],
        region: 'westeurope',
        // The budget of this tier delays no call.
        tier: 'S3',
        units: 10,
        ...hub,
      })),
      twins: { policies },
      ...(allocation === undefined ? {} : { allocation }),
      ...(this.#options.edge === undefined ? {} : { edge: this.#options.edge }),
    };
    writeFileSync(join(this.#directory, 'fleet.json'), JSON.stringify(fleet));
  }

  /** The device API of the hubs. */
  get mqtt(): MqttService {
    return this.#hubs.mqtt;
  }

  get host(): HostName {
    return this.hosts[0] ?? hostName('');
  }

  get now(): EpochMs {
    return this.clock.now();
  }

  /** Advances the clock of the instances, but not the clock of the hubs. */
  pass(ms: number): void {
    this.clock.pass(ms);
  }

  /** The settings of the instances, and of `berth`. */
  get env() {
    return {
      AzureWebJobsStorage: this.#options.tables ?? this.#storage,
      IOT_ENDPOINT: `http://127.0.0.1:${this.#rest?.port}`,
      TWIN_EVENTS_PARTITIONS: '1',
    };
  }

  /**
   * A new instance of the app. It shares no memory with other instances. Its background work happens at `start` only: else the
   * speed of the machine would decide when it happens.
   */
  instance(env: Readonly<Record<string, string>> = {}): Instance {
    const instance = new Instance({
      env: { ...this.env, ...env },
      directory: this.#directory,
      build: '2026-11-23T00:00:00Z',
      now: this.clock.now,
      wait: this.clock.wait,
      repeat: () => () => {},
      look: async () => this.look,
      log: (_, event, facts) => void this.lines.push({ event, ...facts } as Line),
    });
    this.#instances.push(instance);
    return instance;
  }

  /** Ends an instance, as a stop of the app does. */
  async end(instance: Instance): Promise<void> {
    this.#instances.splice(this.#instances.indexOf(instance), 1);
    await instance.stop();
  }

  /** The settings with which a command reaches the hubs and the tables. */
  get settings(): Readonly<Record<string, string>> {
    return { AzureWebJobsStorage: this.#storage, IOT_ENDPOINT: `http://127.0.0.1:${this.#rest?.port}` };
  }

  hub(host = this.host): HubView {
    const view = this.#hubs.view(host);
    if (view === undefined) throw new Error(`no hub ${host}`);
    return view;
  }

  create(deviceId: string, desired: JsonObject = { interval: 99 }, host = this.host, iotEdge = false): void {
    this.#hubs.provisioning(host)?.create(deviceId, {
      authentication: { type: 'sas', symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
      capabilities: { iotEdge },
      tags: {},
      desired,
      reported: {},
    });
  }

  /** A call of another service than Berth. It does not go through the proxy. */
  async service(method: string, path: string, body: JsonObject, ifMatch = '*'): Promise<HttpResponse> {
    const { host } = this;
    return this.#hubs.https.answer({
      method,
      host,
      path,
      query: new URLSearchParams({ 'api-version': '2021-04-12' }),
      headers: {
        authorization: await sharedAccessCredential(host, DEVELOPMENT_POLICY).authorization(),
        'if-match': ifMatch,
      },
      body: Buffer.from(JSON.stringify(body)),
      certificates: [],
      rawHeaders: [],
    });
  }

  setStatus(deviceId: string, status: 'enabled' | 'disabled'): Promise<HttpResponse> {
    return this.service('PUT', `/devices/${deviceId}`, { deviceId, status });
  }

  take(): readonly HubEvent[] {
    return this.events.splice(0);
  }

  /** The value of the desired property `interval` on the hub. */
  interval(deviceId: string, host = this.host, moduleId?: string): JsonValue | undefined {
    const properties = this.hub(host).twin(deviceId, moduleId)?.properties as
      | { desired: JsonObject }
      | undefined;
    return properties?.desired.interval;
  }

  patches(deviceId?: string): number {
    return this.calls.filter((call) => call.startsWith(`PATCH /twins/${deviceId ?? ''}`)).length;
  }

  reads(deviceId: string): number {
    return this.calls.filter((call) => call === `GET /twins/${deviceId}`).length;
  }

  /** Calls `syncTwins` as the host does. */
  async deliver(
    instance: Instance,
    batch: readonly HubEvent[] = this.take(),
    partition = '0',
  ): Promise<readonly Line[]> {
    const lines: Line[] = [];
    const context = contextOf('syncTwins', lines, {
      partitionContext: { partitionId: partition },
      systemPropertiesArray: batch.map(({ annotations }) => ({
        ...annotations,
        sequenceNumber: this.#sequence++,
        enqueuedTimeUtc: new Date(this.now).toISOString(),
      })),
      propertiesArray: batch.map(({ properties }) => properties),
    });
    await syncTwins(instance)(
      batch.map(({ body }) => body),
      context,
    );
    return lines;
  }

  async resync(instance: Instance): Promise<readonly Line[]> {
    const lines: Line[] = [];
    await resyncFleet(instance)({}, contextOf('resyncFleet', lines));
    return lines;
  }

  id(deviceId: string, moduleId?: string, host = this.host): TwinId {
    return { host, deviceId, moduleId };
  }

  /** The tables of the instances, without the stores of the app. */
  get tables(): Tables {
    return openTables({ kind: 'connectionString', connectionString: this.#storage });
  }

  /** The stored state of a twin, read by a new instance without anything in memory. */
  async known(deviceId: string, moduleId?: string, host = this.host): Promise<Known> {
    const instance = this.instance({ AzureWebJobsStorage: this.#storage });
    return (await instance.stores.twins.load(this.id(deviceId, moduleId, host))).known;
  }

  async snapshot(deviceId: string, host = this.host): Promise<Snapshot> {
    const known = await this.known(deviceId, undefined, host);
    if (known.kind !== 'snapshot') throw new Error(`no snapshot of ${deviceId} but ${known.kind}`);
    return known.snapshot;
  }

  async close(): Promise<void> {
    // The hubs close first. This ends calls that they never answer.
    this.#hubs.close();
    await this.#rest?.close();
    await Promise.all(this.#instances.map((instance) => instance.stop()));
  }
}

/** A refusal in the form of the gateway of a hub. */
export function refusal(
  status: number,
  hubCode: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return {
    status,
    headers: { 'iothub-errorcode': hubCode, ...headers },
    body: { Message: `ErrorCode:${hubCode};no`, ExceptionMessage: 'Tracking ID:x' },
  };
}

export function troubles(lines: readonly Line[], code?: string): readonly Line[] {
  return lines.filter((line) => line.event === 'hubTrouble' && (code === undefined || line.code === code));
}

function contextOf(functionName: string, lines: Line[], triggerMetadata: object = {}): InvocationContext {
  return new InvocationContext({
    functionName,
    logHandler: (_, ...args) => void lines.push(JSON.parse(args.join(' ')) as Line),
    triggerMetadata: triggerMetadata as NonNullable<
      NonNullable<ConstructorParameters<typeof InvocationContext>[0]>['triggerMetadata']
    >,
  });
}
