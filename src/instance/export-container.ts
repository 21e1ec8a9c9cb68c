import { BerthError } from '../errors.ts';
import { type BlobAccount, type BlobPut, blobAccountOf, identityBlobAccount } from '../rest/blob-account.ts';
import { exchange } from '../rest/exchange.ts';
import { type Environment, exportAccount, isAzure } from '../settings/settings.ts';
import type { ExportContainer } from '../sync/resync/daily-export.ts';

/** The container of the daily exports. `infra/` creates it; in Azurite, Berth does. */
const CONTAINER = 'berth-exports';
const DEADLINE_MS = 20_000;

/**
 * The container of the daily exports. Undefined: no setting names its account.
 *
 * @throws BerthError `BERTH_SETTING_INVALID`
 */
export function exportContainer(env: Environment): ExportContainer | undefined {
  const account = exportAccount(env);
  if (account === undefined) return undefined;
  const blobs =
    account.kind === 'connectionString'
      ? blobAccountOf(account.connectionString)
      : identityBlobAccount({ ...account, isAzure: isAzure(env) });
  if (blobs === undefined) {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      'The connection string for the daily exports (BERTH_EXPORTS, or that of the state tables) names no blob service: copy one from the portal.',
    );
  }
  const place = new URL(blobs.origin).host;
  return {
    place,
    async keep(name, text) {
      const stored = await putBlob(blobs, name, text);
      // The name has the time, so the same name is the same export: an earlier answer was lost.
      if (stored.status === 201 || stored.why.endsWith(' BlobAlreadyExists')) return;
      if (stored.why.endsWith(' ContainerNotFound')) {
        await put(blobs, `${CONTAINER}?restype=container`, { headers: {}, length: 0, isNew: false });
        const again = await putBlob(blobs, name, text);
        if (again.status === 201) return;
        throw failed(place, again);
      }
      throw failed(place, stored);
    },
  };
}

/** The status of the answer, or why there is none. */
type Answered = { readonly status: number; readonly why: string };

function putBlob(account: BlobAccount, name: string, text: string): Promise<Answered> {
  const headers = { 'x-ms-blob-type': 'BlockBlob', 'content-type': 'application/json; charset=utf-8' };
  const length = Buffer.byteLength(text);
  return put(account, `${CONTAINER}/${name}`, { headers, length, isNew: true }, text);
}

async function put(account: BlobAccount, path: string, what: BlobPut, body?: string): Promise<Answered> {
  const url = new URL(`${account.origin}/${path}`);
  const headers = await authorized(account, url, what);
  if (headers === undefined) return { status: 0, why: 'no identity is signed in' };
  const query = [url.search.slice(1), account.query].filter((part) => part !== '').join('&');
  const address = `${url.origin}${url.pathname}${query === '' ? '' : `?${query}`}`;
  const result = await exchange({ url: address, method: 'PUT', headers, body, deadlineMs: DEADLINE_MS });
  switch (result.kind) {
    case 'answered': {
      const { status, headers: answered } = result.answer;
      // The body may repeat the request. The code is a word of the service.
      return { status, why: `${status} ${String(answered['x-ms-error-code'] ?? '')}`.trim() };
    }
    case 'timeout':
      return { status: 0, why: `no answer within ${DEADLINE_MS / 1_000} s` };
    case 'unreachable':
      return { status: 0, why: result.reason };
  }
}

/** Undefined: there is no token. The error of the identity library may quote an answer, so it is not shown. */
async function authorized(account: BlobAccount, url: URL, what: BlobPut) {
  try {
    return await account.headers(url, what);
  } catch {
    return undefined;
  }
}

function failed(place: string, { why }: Answered): BerthError {
  return new BerthError(
    'BERTH_EXPORT_FAILED',
    `The export cannot be stored in the container ${CONTAINER} of ${place} (${why}). Check that the container exists, and that the app's identity has the role Storage Blob Data Contributor on it.`,
  );
}
