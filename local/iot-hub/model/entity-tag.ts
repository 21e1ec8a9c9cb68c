/**
 * Whether an `If-Match` header allows a write. As in the real hub, only a quoted tag counts. An unquoted tag is ignored
 * (azure-iot-sdk-node#606, azure-iot-sdk-python#716).
 */
export function ifMatchAllows(header: string | undefined, etag: string): boolean {
  const quoted = /^"(.*)"$/.exec(header?.trim() ?? '')?.[1];
  return quoted === undefined || quoted === '*' || quoted === etag;
}
