import { notHere } from '../../errors.ts';
import { HubRefusal } from '../model/hub-error.ts';

/** The version of the Blob service REST API that Azurite and Azure understand. */
const BLOB_API = '2021-08-06';

/** A container of blobs, by its URI with a shared access signature. The URI is a secret: it is never shown or stored. */
export interface BlobContainer {
  /** The text of a blob. @throws HubRefusal `BlobContainerValidationError` */
  read(name: string): Promise<string>;
  /** Creates or replaces a blob. @throws HubRefusal `BlobContainerValidationError` */
  write(name: string, text: string): Promise<void>;
}

/**
 * Opens a container on this machine, such as one of Azurite.
 *
 * @throws HubRefusal `NotInLocalHub` for another machine, `BlobContainerValidationError` for another text
 */
export function openContainer(uri: string): BlobContainer {
  const container = URL.canParse(uri) ? new URL(uri) : undefined;
  if (container === undefined || !/^https?:$/.test(container.protocol)) {
    throw refused('The URI of the container is not valid.');
  }
  if (!isLocal(container.hostname)) {
    throw new HubRefusal(
      'NotInLocalHub',
      notHere(`Containers of ${container.hostname} are not in reach of the local hub. Use Azurite.`),
    );
  }
  if (!container.searchParams.has('sig')) {
    throw new HubRefusal(
      'NotInLocalHub',
      notHere(
        'Managed identities are not in the local hub. Use the URI of a container with a shared access signature.',
      ),
    );
  }
  const blob = (name: string): URL => {
    const url = new URL(container);
    url.pathname = `${container.pathname.replace(/\/$/, '')}/${encodeURIComponent(name)}`;
    return url;
  };
  return {
    async read(name) {
      const answer = await call(blob(name), 'GET');
      return answer.text();
    },
    async write(name, text) {
      await call(blob(name), 'PUT', text);
    },
  };
}

async function call(url: URL, method: 'GET' | 'PUT', body?: string): Promise<Response> {
  const headers = { 'x-ms-version': BLOB_API, ...(body !== undefined && { 'x-ms-blob-type': 'BlockBlob' }) };
  const answer = await fetch(url, { method, headers, ...(body !== undefined && { body }) }).catch(
    () => undefined,
  );
  if (answer?.ok === true) return answer;
  const why = answer === undefined ? 'it does not answer' : `it answers ${answer.status}`;
  throw refused(
    `The blob ${decodeURIComponent(url.pathname.split('/').at(-1) ?? '')} cannot be used: ${why}.`,
  );
}

function isLocal(hostname: string): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\]|.+\.localhost)$/.test(hostname);
}

function refused(problem: string): HubRefusal {
  return new HubRefusal('BlobContainerValidationError', problem);
}
