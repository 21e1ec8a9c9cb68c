import { createHmac } from 'node:crypto';
import { identityCredential } from './credential.ts';

/*
 * The blob service of a storage account. Its API answers XML, so it is not a `RestService`. The rules of the signature are those of
 * "Authorize with Shared Key" (REST API of Azure Storage).
 */

/** Gives the headers that authorize a GET or PUT of an address. */
export interface BlobAccount {
  /** The address of the service, without a slash at the end. */
  readonly origin: string;
  /** Added to each query. Empty, or a shared access signature. */
  readonly query: string;
  /** @param put undefined: a GET. */
  headers(url: URL, put?: BlobPut): Promise<Readonly<Record<string, string>>>;
}

/** A PUT of a container or a blob. */
export interface BlobPut {
  /** Headers that begin with `x-ms-`, and `content-type`. In lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes of the body. */
  readonly length: number;
  /** Only if nothing has this name yet. */
  readonly isNew: boolean;
}

export interface BlobIdentity {
  readonly blobServiceUri: string;
  readonly clientId: string | undefined;
  readonly isAzure: boolean;
}

const VERSION = '2021-12-02';
const SCOPE = 'https://storage.azure.com/.default';
/** The well-known account of Azurite ("Use the Azurite emulator"). Its key is public. */
const EMULATOR = {
  name: 'devstoreaccount1',
  key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
  origin: 'http://127.0.0.1:10000/devstoreaccount1',
} as const;

/** An account that the identity of the app, or the signed-in one, may read. */
export function identityBlobAccount({ blobServiceUri, clientId, isAzure }: BlobIdentity): BlobAccount {
  const credential = identityCredential(SCOPE, { isAzure, clientId });
  return {
    origin: blobServiceUri.replace(/\/+$/, ''),
    query: '',
    headers: async (_, put) => ({
      ...plainHeaders(put),
      'x-ms-version': VERSION,
      authorization: await credential.authorization(),
    }),
  };
}

/** The account of a connection string. Undefined: it names no account or has neither a key nor a signature. */
export function blobAccountOf(connectionString: string): BlobAccount | undefined {
  const parts = new Map(
    connectionString.split(';').map((part) => {
      const [name = '', ...value] = part.split('=');
      return [name.trim().toLowerCase(), value.join('=').trim()] as const;
    }),
  );
  const isEmulator = parts.get('usedevelopmentstorage')?.toLowerCase() === 'true';
  const name = isEmulator ? EMULATOR.name : parts.get('accountname');
  const origin = isEmulator ? EMULATOR.origin : originOf(parts, name);
  if (origin === undefined) return undefined;
  const key = isEmulator ? EMULATOR.key : parts.get('accountkey');
  const signature = parts.get('sharedaccesssignature');
  if (name !== undefined && key) {
    return {
      origin,
      query: '',
      headers: async (url, put) => sharedKeyHeaders({ url, put }, name, key, new Date()),
    };
  }
  return signature
    ? {
        origin,
        query: signature.replace(/^\?/, ''),
        headers: async (_, put) => ({ ...plainHeaders(put), 'x-ms-version': VERSION }),
      }
    : undefined;
}

function originOf(parts: ReadonlyMap<string, string>, name: string | undefined): string | undefined {
  const endpoint = parts.get('blobendpoint');
  if (endpoint) return URL.canParse(endpoint) ? endpoint.replace(/\/+$/, '') : undefined;
  if (!name) return undefined;
  const protocol = parts.get('defaultendpointsprotocol') ?? 'https';
  return `${protocol}://${name}.blob.${parts.get('endpointsuffix') ?? 'core.windows.net'}`;
}

function plainHeaders(put: BlobPut | undefined): Readonly<Record<string, string>> {
  return put === undefined ? {} : { ...put.headers, ...(put.isNew ? { 'if-none-match': '*' } : {}) };
}

/** The headers of a GET without a body, or of a PUT, that a key authorizes. */
function sharedKeyHeaders(
  { url, put }: { readonly url: URL; readonly put: BlobPut | undefined },
  account: string,
  key: string,
  now: Date,
): Readonly<Record<string, string>> {
  const plain = plainHeaders(put);
  const signed = { ...plain, 'x-ms-date': now.toUTCString(), 'x-ms-version': VERSION };
  const headers = Object.entries(signed)
    .filter(([name]) => name.startsWith('x-ms-'))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}:${value}\n`);
  const query = [...url.searchParams]
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `\n${name}:${value}`);
  // The eleven standard headers of the text: a GET has no value for any of them.
  const standard = [
    '',
    '',
    put?.length || '',
    '',
    plain['content-type'] ?? '',
    '',
    '',
    '',
    plain['if-none-match'] ?? '',
    '',
    '',
  ];
  const text = `${put === undefined ? 'GET' : 'PUT'}\n${standard.join('\n')}\n${headers.join('')}/${account}${url.pathname}${query.join('')}`;
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(text, 'utf8').digest('base64');
  return { ...signed, authorization: `SharedKey ${account}:${signature}` };
}
