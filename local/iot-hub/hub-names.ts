/**
 * The names under which a hub is reached: its own, and of one in Azure also those for devices and for services
 * only (Microsoft, `iot-hub-devguide-endpoints.md`).
 *
 * @example hubNames('weu.azure-devices.net') // also 'weu.device.azure-devices.net', 'weu.service.azure-devices.net'
 */
export function hubNames(host: string): readonly string[] {
  const [, name, cloud] = /^([^.]+)\.(?:device\.|service\.)?(azure-devices\.[a-z]+)$/i.exec(host) ?? [];
  if (name === undefined) return [host];
  return [...new Set([host, `${name}.${cloud}`, `${name}.device.${cloud}`, `${name}.service.${cloud}`])];
}
