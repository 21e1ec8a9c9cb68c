import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvocationContext } from '@azure/functions';
import { type HttpRequest, type HttpResponse, type HttpServer, startHttp } from '../../local/https/index.ts';
import { createIotHubs, type HubEvent, type HubView, type IotHubs } from '../../local/iot-hub/index.ts';
import type { MqttService } from '../../local/mqtt/index.ts';
import { resyncFleet } from '../../src/functions/resync-fleet.ts';
import { syncTwins } from '../../src/functions/sync-twins.ts';
import { DEVELOPMENT_POLICY } from '../../src/hub/development.ts';
import { Instance } from '../../src/instance/instance.ts';
import { type HostName, hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
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
 * Stands before the hubs: answers a call in their place, or `undefined` for what they answer themselves. `serve` has
 * the hub carry it out.
 */
export type Front = (
  request: HttpRequest,
  serve: () => Promise<HttpResponse>,
) => Promise<HttpResponse> | undefined;

/** What a function said, as structured lines. */
export interface Line {
  readonly event: string;
  readonly code?: string;
  readonly [fact: string]: JsonValue | undefined;
}

export interface FunctionAppOptions {
  /** Of the fleet file; default one that asks for `interval` 5. */
  readonly policies?: readonly object[];
  /** DTDL files next to the fleet file, by their names. */
  readonly models?: Readonly<Record<string, object>>;
  /** More for each hub of the fleet file; default one hub. */
  readonly hubs?: readonly object[];
  /** Where the instances keep their state; default a storage account of their own. */
  readonly storage?: string;
  /** Where the instances find that account, if something stands before it. */
  readonly tables?: string;
}

/**
 * Hubs of its own behind a front, and instances of the app that have no fleet but them: the functions as the host calls
 * them, over HTTP to the hubs and to Azurite.
 */
export class FunctionApp {
  readonly hosts: readonly HostName[];
  readonly events: HubEvent[] = [];
  /** Calls that came to the front, such as `PATCH /twins/pump`. */
  readonly calls: string[] = [];
  front: Front | undefined;
  /** What the instances said outside of functions. */
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
            // The hub's clock goes with the instances'.
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
      sink: () => (event) => void this.events.push(event),
    });
  }

  /** The fleet file of the instances that are made from now on. */
  writeFleet(policies: readonly object[]): void {
    const { hubs = [{}] } = this.#options;
    const fleet = {
      hubs: hubs.map((hub, index) => ({
        host: this.hosts[index],
        region: 'westeurope',
        // Its budget makes nobody wait.
        tier: 'S3',
        units: 10,
        ...hub,
      })),
      twins: { policies },
    };
    writeFileSync(join(this.#directory, 'fleet.json'), JSON.stringify(fleet));
  }

  /** How devices reach the hubs. */
  get mqtt(): MqttService {
    return this.#hubs.mqtt;
  }

  get host(): HostName {
    return this.hosts[0] ?? hostName('');
  }

  get now(): EpochMs {
    return this.clock.now();
  }

  /** Lets time pass for the instances; the hubs stay where they are. */
  pass(ms: number): void {
    this.clock.pass(ms);
  }

  /** A new instance of the app, which knows nothing of what another has in memory. */
  instance(env: Readonly<Record<string, string>> = {}): Instance {
    const instance = new Instance({
      env: {
        AzureWebJobsStorage: this.#options.tables ?? this.#storage,
        IOT_ENDPOINT: `http://127.0.0.1:${this.#rest?.port}`,
        TWIN_EVENTS_PARTITIONS: '1',
        ...env,
      },
      directory: this.#directory,
      build: '2026-11-23T00:00:00Z',
      now: this.clock.now,
      wait: this.clock.wait,
      log: (_, event, facts) => void this.lines.push({ event, ...facts } as Line),
    });
    this.#instances.push(instance);
    return instance;
  }

  hub(host = this.host): HubView {
    const view = this.#hubs.view(host);
    if (view === undefined) throw new Error(`no hub ${host}`);
    return view;
  }

  create(deviceId: string, desired: JsonObject = { interval: 99 }, host = this.host): void {
    this.#hubs.provisioning(host)?.create(deviceId, {
      authentication: { type: 'sas', symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
      capabilities: { iotEdge: false },
      tags: {},
      desired,
      reported: {},
    });
  }

  /** A call of a service that is not Berth, past the front. */
  async service(method: string, path: string, body: JsonObject, ifMatch = '*'): Promise<HttpResponse> {
    const { host } = this;
    return this.#hubs.https.answer({
      method,
      host,
      path,
      query: new URLSearchParams(),
      headers: {
        authorization: await sharedAccessCredential(host, DEVELOPMENT_POLICY).authorization(),
        'if-match': ifMatch,
      },
      body: Buffer.from(JSON.stringify(body)),
      certificates: [],
    });
  }

  setStatus(deviceId: string, status: 'enabled' | 'disabled'): Promise<HttpResponse> {
    return this.service('PUT', `/devices/${deviceId}`, { deviceId, status });
  }

  take(): readonly HubEvent[] {
    return this.events.splice(0);
  }

  /** The hub's value of `interval`. */
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

  /** The rows that the instances keep, past every store. */
  get tables(): Tables {
    return openTables({ kind: 'connectionString', connectionString: this.#storage });
  }

  /** What the tables say of a twin, past every memory. */
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
    // Before the hubs: calls that are never answered end with them.
    this.#hubs.close();
    await this.#rest?.close();
    await Promise.all(this.#instances.map((instance) => instance.stop()));
  }
}

/** An answer as the hub's gateway writes it. */
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
