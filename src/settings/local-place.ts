/**
 * Whether a connection string, an address or a host name names the local stack or an emulator. Only emulators use plain http, and
 * Azure has no service on a loopback address.
 */
export function isLocalPlace(value: string): boolean {
  return LOCAL.test(value);
}

const LOCAL =
  /UseDevelopment(Storage|Emulator)\s*=\s*true|\bhttp:\/\/|(:\/\/|\bHostName\s*=\s*|^)(localhost|127\.\d+\.\d+\.\d+|\[::1\])(?![\w.-])/i;
