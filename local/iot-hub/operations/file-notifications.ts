import type { LocalHub } from '../hub/hub.ts';

/** A file that a device has uploaded. */
export interface UploadedFile {
  readonly deviceId: string;
  readonly blobUri: string;
  /** With the device id in front, as in the container. */
  readonly blobName: string;
  /** Of the blob, in UTC. */
  readonly lastUpdatedTime: string;
  readonly blobSizeInBytes: number;
}

/** Tells services about an uploaded file (iot-hub-devguide-file-upload.md, "File upload notifications"). */
export function notifyFileUpload(hub: LocalHub, file: UploadedFile): void {
  const enqueuedTimeUtc = new Date(hub.now()).toISOString();
  hub.fileNotifications.add(JSON.stringify({ ...file, enqueuedTimeUtc }));
}
