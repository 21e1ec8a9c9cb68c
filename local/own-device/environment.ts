import type { OwnDevice } from './credentials.ts';
import type { RunningStack } from './stack.ts';

/** The shells whose form `--print-env` can write. */
export const SHELLS = ['sh', 'powershell'] as const;
export type ShellName = (typeof SHELLS)[number];

/** The port of MQTT that every SDK uses if a host name has no port. */
const USUAL_MQTT_PORT = 8883;

/**
 * The connection string of a device, through the gateway: the SDK connects to this machine and names the hub in its
 * messages.
 */
export function connectionStringOf(
  { hub, deviceId }: { readonly hub: string; readonly deviceId: string },
  { key }: Pick<OwnDevice, 'key'>,
  { ports }: Pick<RunningStack, 'ports'>,
): string {
  const proof = key === null ? 'x509=true' : `SharedAccessKey=${key}`;
  return `HostName=${hub};DeviceId=${deviceId};${proof};GatewayHostName=${gatewayOf(ports.mqtt)}`;
}

/** `localhost`, with the port only if it is not the usual one: the SDKs for Python and C# accept no port. */
export function gatewayOf(mqttPort: number): string {
  return mqttPort === USUAL_MQTT_PORT ? 'localhost' : `localhost:${mqttPort}`;
}

/**
 * The environment of a program that runs as this device. The names are those of Microsoft's samples, and those by which
 * Node.js, OpenSSL (Python, C#) and the Python package `requests` find what they trust.
 *
 * @param eventsConnection the connection string of the built-in endpoint of the hub.
 */
export function deviceEnvironment(
  assigned: { readonly hub: string; readonly deviceId: string },
  own: OwnDevice,
  stack: RunningStack,
  eventsConnection: string,
): Readonly<Record<string, string>> {
  return {
    NODE_EXTRA_CA_CERTS: stack.certificates.root,
    SSL_CERT_FILE: stack.certificates.bundle,
    REQUESTS_CA_BUNDLE: stack.certificates.bundle,
    IOTHUB_CA_FILE: stack.certificates.root,
    IOTHUB_HOST: assigned.hub,
    IOTHUB_DEVICE_ID: assigned.deviceId,
    IOTHUB_DEVICE_CONNECTION_STRING: connectionStringOf(assigned, own, stack),
    EVENT_HUB_CONNECTION_STRING: eventsConnection,
    PROVISIONING_HOST: gatewayOf(stack.ports.mqtt),
    PROVISIONING_IDSCOPE: own.idScope,
    PROVISIONING_REGISTRATION_ID: own.registrationId,
    ...(own.key !== null && { PROVISIONING_SYMMETRIC_KEY: own.key }),
    ...(own.certificate !== null && {
      X509_CERT_FILE: own.certificate.certificate,
      X509_KEY_FILE: own.certificate.key,
    }),
  };
}

/** The lines that set an environment in a shell. Each value is quoted, so that the shell takes it as it is. */
export function shellLines(
  environment: Readonly<Record<string, string>>,
  shell: ShellName,
): readonly string[] {
  return Object.entries(environment).map(([name, value]) =>
    shell === 'sh'
      ? `export ${name}='${value.replaceAll("'", `'\\''`)}'`
      : `$env:${name} = '${value.replaceAll("'", "''")}'`,
  );
}
