import { Command, InvalidArgumentError, Option } from 'commander';

/** The port of each local service; 0 selects a free one. */
export interface Ports {
  readonly control: number;
  readonly functions: number;
  readonly rest: number;
  readonly https: number;
  readonly mqtt: number;
  /** Event Hubs over plain AMQP. */
  readonly amqp: number;
  /** AMQP over TLS: IoT hubs, DPS and Event Hubs. */
  readonly amqps: number;
  readonly blob: number;
  readonly queue: number;
  readonly table: number;
}

/** The ports that `local.settings.json` and the documentation use. None needs administrator rights. */
export const DEFAULT_PORTS: Ports = {
  control: 7070,
  functions: 7071,
  rest: 7080,
  https: 7443,
  mqtt: 8883,
  amqp: 5672,
  amqps: 5671,
  blob: 10000,
  queue: 10001,
  table: 10002,
};

/** The ports of Azure: HTTPS and WebSocket 443, MQTT 8883, AMQP 5671. */
export const STANDARD_PORTS: Ports = { ...DEFAULT_PORTS, https: 443 };

const FREE_PORTS = Object.fromEntries(
  Object.keys(DEFAULT_PORTS).map((name) => [name, 0]),
) as unknown as Ports;

export interface LocalOptions {
  /** End with an exit code when every device is registered and every twin is reconciled. */
  readonly once: boolean;
  readonly devices: number;
  /** Simulated IoT Edge devices. With `once`, none run. */
  readonly edgeDevices: number;
  /** The last line is one JSON object; everything else goes to stderr. */
  readonly json: boolean;
  readonly timeoutMs: number;
  /** Delete the state of earlier runs. */
  readonly fresh: boolean;
  /** Folder with the state of the local services. */
  readonly stateDirectory: string;
  /** Start everything except the function host. Azure Functions Core Tools run the app. */
  readonly withoutFunctions: boolean;
  /** Start hubs, DPS, Event Hubs and storage alone, without Berth: no functions, no devices, none of its enrollments. */
  readonly plain: boolean;
  /** With `plain`: the file in place of `local.json`. */
  readonly configuration: string | undefined;
  /** Use the ports of Azure, so that programs that cannot choose a port reach the stack. */
  readonly standardPorts: boolean;
  /** Files with the CA certificates that the hubs trust for devices. */
  readonly trustedFiles: readonly string[];
  /** The host names by which DPS links the hubs. */
  readonly links: LinkNames;
  readonly ports: Ports;
  /** The ports that the command line names. They come before those of `local.json`. */
  readonly givenPorts: Partial<Ports>;
}

/** `both`: the links during a change from one name to the other. */
export type LinkNames = 'classic' | 'device' | 'both';

/** The Edge devices of the demo. */
const EDGE_DEVICES = 2;

/** Reads the command line. Ends the process with a message if it is wrong, and for `--help`. */
export function readOptions(argv: readonly string[]): LocalOptions {
  const command = new Command('npm start --')
    .description(
      'Berth and a local Azure IoT: hubs, DPS, Event Hubs, storage, the function host and simulated devices.',
    )
    .option('--once', 'end with exit code 0 when every device is registered and its twin in sync', false)
    .option('--devices <n>', 'simulated devices', wholeNumber(0, 5_000), 20)
    .option(
      '--edge-devices <n>',
      'simulated IoT Edge devices (default: 2, and none with --devices or --once)',
      wholeNumber(0, 50),
    )
    .option('--json', 'print one JSON object as the last line', false)
    .option('--timeout <s>', 'with --once: seconds until it fails', wholeNumber(1, 86_400), 120)
    .option('--fresh', 'delete hubs, twins, events and storage of earlier runs', false)
    .option('--state <folder>', 'state folder: a new or empty folder, or one that Berth made', '.berth')
    .addOption(
      new Option('--links <names>', 'host names by which DPS links the hubs')
        .choices(['classic', 'device', 'both'])
        .default('classic'),
    )
    .addOption(
      new Option(
        '--trust-ca <file>',
        'trust the CA certificates (PEM) in a file for devices; can be repeated',
      )
        .argParser((file: string, before: readonly string[]) => [...before, file])
        .default([], 'the root of the stack alone'),
    )
    .addOption(new Option('--without-functions', 'run the functions with `func start`').default(false))
    .addOption(
      new Option('--plain', 'hubs, DPS, Event Hubs and storage alone, for your own program; without Berth')
        .default(false)
        .conflicts(['once', 'devices', 'edgeDevices', 'json']),
    )
    .addOption(
      new Option(
        '--config <file>',
        'with --plain: hubs, routes, DPS and ports; default: local.json, if it exists',
      ).implies({ plain: true }),
    )
    .addOption(
      new Option('--standard-ports', 'use the ports of Azure: https=443, mqtt=8883, amqps=5671')
        .default(false)
        .conflicts('freePorts'),
    )
    .addOption(
      new Option('--port <name=number>', `change a port: ${portList()}; 0 selects a free one`)
        .argParser(portArgument)
        .default({}, 'as listed'),
    )
    .option('--free-ports', 'use a free port for every service', false)
    .allowExcessArguments(false)
    .parse([...argv], { from: 'user' });
  const flags = command.opts<{
    once: boolean;
    devices: number;
    edgeDevices?: number;
    json: boolean;
    timeout: number;
    fresh: boolean;
    state: string;
    links: LinkNames;
    withoutFunctions: boolean;
    plain: boolean;
    config?: string;
    standardPorts: boolean;
    trustCa: readonly string[];
    port: Partial<Ports>;
    freePorts: boolean;
  }>();
  return {
    once: flags.once,
    devices: flags.devices,
    edgeDevices:
      flags.edgeDevices ?? (command.getOptionValueSource('devices') === 'default' ? EDGE_DEVICES : 0),
    json: flags.json,
    timeoutMs: flags.timeout * 1_000,
    fresh: flags.fresh,
    stateDirectory: flags.state,
    withoutFunctions: flags.withoutFunctions || flags.plain,
    plain: flags.plain,
    configuration: flags.config,
    standardPorts: flags.standardPorts,
    trustedFiles: flags.trustCa,
    links: flags.links,
    ports: { ...portsOf(flags), ...flags.port },
    givenPorts: flags.freePorts || flags.standardPorts ? { ...portsOf(flags), ...flags.port } : flags.port,
  };
}

function portsOf(flags: { readonly freePorts: boolean; readonly standardPorts: boolean }): Ports {
  if (flags.freePorts) return FREE_PORTS;
  return flags.standardPorts ? STANDARD_PORTS : DEFAULT_PORTS;
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

function portArgument(text: string, before: Partial<Ports>): Partial<Ports> {
  const [name = '', number = ''] = text.split('=');
  const port = Number(number);
  if (
    !Object.hasOwn(DEFAULT_PORTS, name) ||
    number === '' ||
    !Number.isInteger(port) ||
    port < 0 ||
    port > 65_535
  ) {
    throw new InvalidArgumentError(`Use one of ${portList()}.`);
  }
  return { ...before, [name]: port };
}

function portList(): string {
  return Object.entries(DEFAULT_PORTS)
    .map(([name, port]) => `${name}=${port}`)
    .join(', ');
}
