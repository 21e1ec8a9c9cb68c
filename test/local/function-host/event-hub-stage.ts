import { BlobServiceClient } from '@azure/storage-blob';
import { type EventHubs, type EventToAppend, startEventHubs } from '../../../local/event-hubs/index.ts';
import { eventually } from '../../support/eventually.ts';
import { type RunningHost, startHost, type TestApp, writeApp } from './host-process.ts';

/** What a recording function got in one invocation. */
export interface Batch {
  readonly fn: string;
  /** Bytes are shown as text. */
  readonly events: readonly unknown[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly retry: { readonly retryCount: number; readonly maxRetryCount: number } | null;
}

/** Options of an Event Hub function by its name; those of {@link recordingApp} are the defaults. */
export type RecordingFunctions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/**
 * An app whose functions record their batches, and throw when one holds the event that the app setting FAIL
 * names. `/api/batches` gives the records, `/api/most` how many invocations ran at the same time at most.
 */
export const recordingApp = (functions: RecordingFunctions, host: object = {}): Promise<string> =>
  writeApp({ code: recordingCode(functions), host } satisfies TestApp);

const recordingCode = (functions: RecordingFunctions): string => `
import { app } from '@azure/functions';
const batches = [];
let running = 0;
let most = 0;
const handler = async (input, context) => {
  running += 1;
  most = Math.max(most, running);
  const events = (Array.isArray(input) ? input : [input]).map((event) => Buffer.isBuffer(event) ? event.toString('latin1') : event);
  batches.push({ fn: context.functionName, events, metadata: context.triggerMetadata, retry: context.retryContext ?? null });
  await new Promise((done) => setTimeout(done, Number(process.env.TAKES ?? 5)));
  running -= 1;
  if (events.includes(process.env.FAIL)) throw new Error('cannot take ' + process.env.FAIL);
};
for (const [name, options] of Object.entries(${JSON.stringify(functions)})) {
  app.eventHub(name, { connection: 'EVENTS', eventHubName: '%HUB%', cardinality: 'many', dataType: 'binary', ...options, handler });
}
app.http('batches', { handler: () => ({ jsonBody: batches }) });
app.http('most', { handler: () => ({ jsonBody: most }) });
`;

export const batchesOf = async (host: RunningHost, fn: string): Promise<readonly Batch[]> =>
  ((await host.get('/api/batches')) as readonly Batch[]).filter((batch) => batch.fn === fn);

/** Polls until a function has had `count` events, and gives them all. */
export const eventsOf = (host: RunningHost, fn: string, count: number): Promise<readonly unknown[]> =>
  eventually(
    async () => (await batchesOf(host, fn)).flatMap(({ events }) => events),
    (events) => events.length >= count,
    30_000,
  );

/** One event hub of its own name, a storage account, and the hosts that read from it. */
export interface Stage {
  readonly hubs: EventHubs;
  readonly environment: Readonly<Record<string, string>>;
  append(event: Partial<EventToAppend> & { readonly body: Buffer }): void;
  /** Appends texts to partition 0. */
  say(...texts: readonly string[]): void;
  start(app: string, environment?: Readonly<Record<string, string>>): Promise<RunningHost>;
  /** Sequence number in the checkpoint of a partition; undefined if there is none. */
  checkpoint(consumerGroup?: string, partitionId?: string): Promise<number | undefined>;
  /** Closes something else together with the stage. */
  alsoClose(hubs: EventHubs): EventHubs;
  close(): Promise<void>;
}

let stages = 0;

export async function setStage(
  file: string,
  storage: string,
  {
    partitionCount = 1,
    consumerGroups = [],
  }: { partitionCount?: number; consumerGroups?: readonly string[] } = {},
): Promise<Stage> {
  // Checkpoints of all local namespaces lie beside each other under "localhost": the hub's name keeps tests
  // apart.
  stages += 1;
  const name = `hub-${process.pid}-${stages}`;
  const hubs = await startEventHubs({ port: 0, hubs: [{ name, partitionCount, consumerGroups }] });
  const hosts: RunningHost[] = [];
  const toClose = [hubs];
  const environment = {
    AzureWebJobsStorage: storage,
    EVENTS: hubs.connectionString(),
    HUB: name,
  };
  return {
    hubs,
    environment,
    append: (event) => void hubs.append(name, event),
    say(...texts) {
      for (const text of texts) hubs.append(name, { body: Buffer.from(text), partitionId: '0' });
    },
    async start(app, more = {}) {
      const host = await startHost(file, app, { ...environment, ...more });
      hosts.push(host);
      return host;
    },
    async checkpoint(consumerGroup = '$Default', partitionId = '0') {
      const container =
        BlobServiceClient.fromConnectionString(storage).getContainerClient('azure-webjobs-eventhub');
      const prefix = `localhost/${name}/${consumerGroup.toLowerCase()}/checkpoint/${partitionId}`;
      for await (const blob of container.listBlobsFlat({ includeMetadata: true, prefix })) {
        return Number(blob.metadata?.sequencenumber);
      }
      return undefined;
    },
    alsoClose(more) {
      toClose.push(more);
      return more;
    },
    async close() {
      await Promise.all(hosts.map((host) => host.kill()));
      await Promise.all(toClose.map((each) => each.close()));
    },
  };
}
