/**
 * Whether an `If-Match` header lets a write through. As in the real hub only a quoted tag counts: an unquoted
 * one is silently ignored (azure-iot-sdk-node#606, azure-iot-sdk-python#716).
 */
export function ifMatchAllows(header: string | undefined, etag: string): boolean {
  const quoted = /^"(.*)"$/.exec(header?.trim() ?? '')?.[1];
  return quoted === undefined || quoted === '*' || quoted === etag;
}
