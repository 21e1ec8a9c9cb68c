import { type BlobAccount, blobAccountOf, identityBlobAccount } from '../rest/blob-account.ts';
import { exchange } from '../rest/exchange.ts';
import { consumerGroup, type Environment, hostBlobs, isAzure, twinEvents } from '../settings/settings.ts';

/** The container of the Event Hubs extension (azure-sdk-for-net, `EventHubOptions.LeaseContainerName`). */
const CONTAINER = 'azure-webjobs-eventhub';
const DEADLINE_MS = 10_000;
/** A page has 5,000 blobs. A consumer group has two for each partition, and an Event Hub has up to 1,024 partitions. */
const MOST_PAGES = 10;

/** The checkpoints of the functions: by partition, the sequence number of the last event that they have handled. */
export type HandledPositions =
  | { readonly kind: 'read'; readonly positions: ReadonlyMap<string, number> }
  | { readonly kind: 'failed'; readonly why: string };

/**
 * Reads the checkpoints that the Functions host keeps as blobs: `{namespace}/{event hub}/{consumer group}/checkpoint/{partition}`
 * in lower case, with the position in the metadata (azure-sdk-for-net, `BlobCheckpointStoreInternal`). Without the container, there
 * are none. Never throws.
 */
export async function handledPositions(env: Environment): Promise<HandledPositions> {
  const account = accountOf(env);
  const { namespace, name } = twinEvents(env) ?? {};
  if (account === undefined || namespace === undefined || name === undefined) {
    return failed(
      'no setting names the Event Hub (TWIN_EVENTS) or the storage of the functions (AzureWebJobsStorage)',
    );
  }
  const belongs = checkpointName(namespace, name, consumerGroup(env));
  const positions = new Map<string, number>();
  let marker = '';
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const listed = await listPage(account, namespace, marker);
    if (listed.kind === 'failed') return listed;
    for (const { name: blob, sequenceNumber } of listed.blobs) {
      const partition = belongs.exec(blob)?.[1];
      if (partition !== undefined && sequenceNumber !== undefined) positions.set(partition, sequenceNumber);
    }
    marker = listed.marker;
    if (marker === '') break;
  }
  return { kind: 'read', positions };
}

function accountOf(env: Environment): BlobAccount | undefined {
  const blobs = hostBlobs(env);
  if (blobs === undefined) return undefined;
  return blobs.kind === 'connectionString'
    ? blobAccountOf(blobs.connectionString)
    : identityBlobAccount({ ...blobs, isAzure: isAzure(env) });
}

/** The names of the checkpoints of one consumer group. The JavaScript SDK adds the port of a local Event Hub. */
function checkpointName(namespace: string, eventHub: string, group: string): RegExp {
  const literal = (text: string) => text.toLowerCase().replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(
    `^${literal(namespace)}(?::\\d+)?/${literal(eventHub)}/${literal(group)}/checkpoint/([^/]+)$`,
  );
}

interface ListedBlob {
  readonly name: string;
  /** Undefined: the blob has none in its metadata. */
  readonly sequenceNumber: number | undefined;
}

type ListedPage =
  | { readonly kind: 'listed'; readonly blobs: readonly ListedBlob[]; readonly marker: string }
  | { readonly kind: 'failed'; readonly why: string };

async function listPage(account: BlobAccount, prefix: string, marker: string): Promise<ListedPage> {
  const url = new URL(`${account.origin}/${CONTAINER}`);
  for (const [name, value] of Object.entries({
    restype: 'container',
    comp: 'list',
    include: 'metadata',
    prefix,
  })) {
    url.searchParams.set(name, value);
  }
  if (marker !== '') url.searchParams.set('marker', marker);
  let headers: Readonly<Record<string, string>>;
  try {
    headers = await account.headers(url);
  } catch (error) {
    // Only the name: the message of a credential error may quote the answer of the identity endpoint.
    return failed(
      `there is no token for the storage of the functions (${error instanceof Error ? error.name : 'error'})`,
    );
  }
  const address = account.query === '' ? url.href : `${url.href}&${account.query}`;
  const result = await exchange({
    url: address,
    method: 'GET',
    headers,
    body: undefined,
    deadlineMs: DEADLINE_MS,
  });
  if (result.kind === 'timeout') return failed('the storage of the functions does not answer');
  if (result.kind === 'unreachable')
    return failed(`the storage of the functions cannot be reached (${result.reason})`);
  const { status, body } = result.answer;
  if (status === 404) return { kind: 'listed', blobs: [], marker: '' };
  if (status !== 200) return failed(`the storage of the functions answers ${status} for the checkpoints`);
  return { kind: 'listed', blobs: blobsIn(body), marker: textOf('NextMarker', body) ?? '' };
}

/** The blobs of a page (REST API of Azure Storage, "List Blobs"). Names and numbers of checkpoints need no XML entities. */
function blobsIn(xml: string): readonly ListedBlob[] {
  return [...xml.matchAll(/<Blob>([\s\S]*?)<\/Blob>/g)].flatMap(([, blob = '']) => {
    const name = textOf('Name', blob);
    const text = textOf('sequencenumber', blob);
    const number = text === undefined || text === '' ? Number.NaN : Number(text);
    return name === undefined ? [] : [{ name, sequenceNumber: Number.isFinite(number) ? number : undefined }];
  });
}

/** Names of metadata have no case. */
function textOf(element: string, xml: string): string | undefined {
  return new RegExp(`<${element}(?: [^>]*)?>([^<]*)</${element}>`, 'i').exec(xml)?.[1];
}

function failed(why: string): { readonly kind: 'failed'; readonly why: string } {
  return { kind: 'failed', why };
}
