/**
 * Whether a connection string or an address names the local stack or an emulator. Only emulators use plain http, and Azure has
 * no service on a loopback address.
 */
export function isLocalPlace(value: string): boolean {
  return LOCAL.test(value);
}

const LOCAL =
  /UseDevelopment(Storage|Emulator)\s*=\s*true|\bhttp:\/\/|:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(?![\w.-])/i;
