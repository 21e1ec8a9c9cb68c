import type { JsonObject } from '../../../src/json/json.ts';
import { entryOf, type LocalHub } from '../hub/hub.ts';
import type { Address } from '../model/address.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { notifyFileUpload } from './file-notifications.ts';

/* Limits: iot-hub-devguide-file-upload.md and "IoT Hub quotas and throttling". */
const MAX_UPLOADS_OF_DEVICE = 10;
const MAX_BLOB_NAME = 1024;
const PERMISSION_MS = 3_600_000;

/**
 * Begins an upload: permits the device to write the blob for an hour.
 *
 * @param name the name of the blob, without the device id.
 * @returns what the device needs for the URL of the blob, and the id with which it tells the end.
 * @throws HubRefusal `ArgumentInvalid`, `BlobContainerValidationError` (the hub has no storage account),
 *   `DeviceMaximumActiveFileUploadLimitExceeded`, `ThrottlingException`, `DeviceNotFound`
 */
export async function beginUpload(hub: LocalHub, address: Address, name: unknown): Promise<JsonObject> {
  entryOf(hub, address);
  const { storage } = hub.uploads;
  if (typeof name !== 'string' || name === '' || name.length > MAX_BLOB_NAME) {
    throw new HubRefusal('ArgumentInvalid', `blobName must be a text of 1 to ${MAX_BLOB_NAME} characters.`);
  }
  if (storage === undefined) {
    throw new HubRefusal('BlobContainerValidationError', 'The hub has no storage account for file upload.');
  }
  if (hub.uploads.count(address) >= MAX_UPLOADS_OF_DEVICE) {
    throw new HubRefusal(
      'DeviceMaximumActiveFileUploadLimitExceeded',
      `The device has ${MAX_UPLOADS_OF_DEVICE} uploads that it has not ended.`,
    );
  }
  await hub.admit('uploads');
  const { correlationId, blobName, expires } = hub.uploads.begin(
    address,
    `${address.deviceId}/${name}`,
    hub.now() + PERMISSION_MS,
  );
  const { hostName, containerName, sasToken } = await storage.grant(blobName, expires);
  return { correlationId, hostName, containerName, blobName, sasToken };
}

/**
 * Ends an upload. Services get a notification if it has succeeded and the blob exists.
 *
 * @throws HubRefusal `ArgumentInvalid` for an unknown upload
 */
export async function endUpload(
  hub: LocalHub,
  address: Address,
  correlationId: unknown,
  isSuccess: boolean,
): Promise<void> {
  const upload = typeof correlationId === 'string' ? hub.uploads.end(address, correlationId) : undefined;
  if (upload === undefined) {
    throw new HubRefusal('ArgumentInvalid', `The device has no upload with the id ${String(correlationId)}.`);
  }
  const blob = isSuccess ? await hub.uploads.storage?.find(upload.blobName) : undefined;
  if (blob === undefined) return;
  notifyFileUpload(hub, {
    deviceId: address.deviceId,
    blobUri: blob.uri,
    blobName: upload.blobName,
    lastUpdatedTime: blob.lastModified.toISOString(),
    blobSizeInBytes: blob.bytes,
  });
}
