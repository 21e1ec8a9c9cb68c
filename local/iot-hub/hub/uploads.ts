import { randomUUID } from 'node:crypto';
import { type Address, addressKey } from '../model/address.ts';

/** The storage account of a hub, for the files of devices. */
export interface UploadStorage {
  /** Permits a client to write one blob for some time. */
  grant(blobName: string, expires: number): Promise<UploadGrant>;
  /** A blob that exists; undefined if there is none. */
  find(blobName: string): Promise<StoredBlob | undefined>;
}

/** The parts of the URL to which a device uploads: `https://{hostName}/{containerName}/{blobName}{sasToken}`. */
export interface UploadGrant {
  readonly hostName: string;
  readonly containerName: string;
  /** Begins with `?`. */
  readonly sasToken: string;
}

export interface StoredBlob {
  readonly uri: string;
  readonly bytes: number;
  readonly lastModified: Date;
}

/** An upload that a device has begun. */
export interface BegunUpload {
  readonly correlationId: string;
  /** With the device id in front. */
  readonly blobName: string;
  /** When its permission ends, in milliseconds since the epoch. */
  readonly expires: number;
}

/** The uploads of the devices of a hub that have not ended. They are not stored. */
export interface Uploads {
  /** The storage account; undefined: the hub has none. */
  readonly storage: UploadStorage | undefined;
  /** The number of uploads of a device that have not ended. */
  count(address: Address): number;
  begin(address: Address, blobName: string, expires: number): BegunUpload;
  /** Ends an upload. Returns undefined if the device has no such upload. */
  end(address: Address, correlationId: string): BegunUpload | undefined;
}

export function createUploads(storage: UploadStorage | undefined, now: () => number): Uploads {
  const begun = new Map<string, Map<string, BegunUpload>>();
  const of = (address: Address): Map<string, BegunUpload> => {
    const key = addressKey(address);
    const uploads = begun.get(key) ?? new Map<string, BegunUpload>();
    begun.set(key, uploads);
    for (const { correlationId, expires } of uploads.values())
      if (expires <= now()) uploads.delete(correlationId);
    return uploads;
  };
  return {
    storage,
    count: (address) => of(address).size,
    begin(address, blobName, expires) {
      const upload = { correlationId: randomUUID(), blobName, expires };
      of(address).set(upload.correlationId, upload);
      return upload;
    },
    end(address, correlationId) {
      const uploads = of(address);
      const upload = uploads.get(correlationId);
      uploads.delete(correlationId);
      return upload;
    },
  };
}
