/**
 * Host name of an IoT hub in lower case, e.g. `contoso-weu.azure-devices.net`. Host names are compared
 * whatever their case.
 */
export type HostName = string & { readonly brand: 'HostName' };

export function hostName(text: string): HostName {
  return text.toLowerCase() as HostName;
}

/**
 * The first label of the host name: how events name their hub (reference: `hubName` is the short name, not
 * the host).
 */
export function shortName(host: HostName): string {
  return host.split('.', 1)[0] ?? host;
}
