import type { ContainerClient } from '@azure/storage-blob';
import type { PassThrough } from '../https/index.ts';
import type { UploadStorage } from '../iot-hub/index.ts';
import type { Azurite } from './index.ts';

/** The container of the files that devices upload. */
export const UPLOADS = 'iothub-uploads';

export interface UploadStorageOptions {
  /** Of Azurite. */
  readonly connectionString: string;
  /** The address of the account for devices, without a scheme, which they reach over https. */
  readonly hostName: () => string;
}

/** Keeps the files of devices in Azurite. It makes the container at the first upload. */
export function createUploadStorage({ connectionString, hostName }: UploadStorageOptions): UploadStorage {
  let made: Promise<ContainerClient> | undefined;
  const container = (): Promise<ContainerClient> => {
    made ??= makeContainer(connectionString).catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  return {
    async grant(blobName, expires) {
      const { BlobSASPermissions, generateBlobSASQueryParameters, StorageSharedKeyCredential } =
        await storageBlob();
      const { credential } = await container();
      if (!(credential instanceof StorageSharedKeyCredential)) throw new Error('Azurite has no account key.');
      const query = generateBlobSASQueryParameters(
        {
          containerName: UPLOADS,
          blobName,
          permissions: BlobSASPermissions.parse('rcw'),
          expiresOn: new Date(expires),
        },
        credential,
      );
      return { hostName: hostName(), containerName: UPLOADS, sasToken: `?${query.toString()}` };
    },
    async find(blobName) {
      const { RestError } = await storageBlob();
      try {
        const { contentLength = 0, lastModified = new Date() } = await (await container())
          .getBlobClient(blobName)
          .getProperties();
        const uri = `https://${hostName()}/${UPLOADS}/${blobName.split('/').map(encodeURIComponent).join('/')}`;
        return { uri, bytes: contentLength, lastModified };
      } catch (error) {
        if (error instanceof RestError && error.statusCode === 404) return undefined;
        throw error;
      }
    },
  };
}

/** The package is loaded at the first upload: it would lengthen each start of the stack. */
function storageBlob() {
  return import('@azure/storage-blob');
}

async function makeContainer(connectionString: string): Promise<ContainerClient> {
  const { BlobServiceClient } = await storageBlob();
  const client = BlobServiceClient.fromConnectionString(connectionString).getContainerClient(UPLOADS);
  await client.createIfNotExists();
  return client;
}

/**
 * The blobs of the account over https. The SDK for Node.js sends `x-ms-encryption-algorithm` without a key, which Azure ignores
 * and Azurite refuses.
 */
export function blobsOf({ account, ports }: Pick<Azurite, 'account' | 'ports'>): PassThrough {
  return { prefix: `/${account}/`, port: ports.blob, without: ['x-ms-encryption-algorithm'] };
}
