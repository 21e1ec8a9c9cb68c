import { Command, InvalidArgumentError, Option } from 'commander';

/** The port of each local service; 0 asks for a free one. */
export interface Ports {
  readonly control: number;
  readonly functions: number;
  readonly rest: number;
  readonly https: number;
  readonly mqtt: number;
  readonly amqp: number;
  readonly blob: number;
  readonly queue: number;
  readonly table: number;
}

/** The ones that `local.settings.json` and the documentation go by. None needs a privilege. */
export const DEFAULT_PORTS: Ports = {
  control: 7070,
  functions: 7071,
  rest: 7080,
  https: 7443,
  mqtt: 8883,
  amqp: 5672,
  blob: 10000,
  queue: 10001,
  table: 10002,
};

const FREE_PORTS = Object.fromEntries(
  Object.keys(DEFAULT_PORTS).map((name) => [name, 0]),
) as unknown as Ports;

export interface LocalOptions {
  /** End when the loop has closed, with an exit code. */
  readonly once: boolean;
  readonly devices: number;
  /** The last line is one JSON object; everything else goes to stderr. */
  readonly json: boolean;
  readonly timeoutMs: number;
  /** Forget everything from earlier runs. */
  readonly fresh: boolean;
  /** Where the local services keep their state. */
  readonly stateDirectory: string;
  /** Bring up everything but the function host: Azure Functions Core Tools run the app. */
  readonly withoutFunctions: boolean;
  /** By which host names DPS links the hubs. */
  readonly links: LinkNames;
  readonly ports: Ports;
}

/** `both` is how links are while they are changed from one name to the other. */
export type LinkNames = 'classic' | 'device' | 'both';

/** Reads the command line; ends the process with a sentence where it is wrong, and for `--help`. */
export function readOptions(argv: readonly string[]): LocalOptions {
  const command = new Command('npm start --')
    .description(
      'Berth and a local Azure IoT: hubs, DPS, Event Hubs, storage, the function host and simulated devices.',
    )
    .option('--once', 'end when every device is registered and its twin in sync; exit code 0 then', false)
    .option('--devices <n>', 'simulated devices', wholeNumber(1, 5_000), 20)
    .option('--json', 'print one JSON object as the last line', false)
    .option('--timeout <s>', 'with --once: seconds after which it has failed', wholeNumber(1, 86_400), 120)
    .option('--fresh', 'forget hubs, twins, events and storage of earlier runs', false)
    .option('--state <folder>', 'where that is kept: an empty folder, or one that Berth made', '.berth')
    .addOption(
      new Option('--links <names>', 'host names by which DPS links the hubs')
        .choices(['classic', 'device', 'both'])
        .default('classic'),
    )
    .addOption(new Option('--without-functions', 'leave the function host to `func start`').default(false))
    .addOption(
      new Option('--port <name=number>', `another port: ${portList()}; 0 takes a free one`)
        .argParser(portArgument)
        .default({}, 'as listed'),
    )
    .option('--free-ports', 'take free ports for everything', false)
    .allowExcessArguments(false)
    .parse([...argv], { from: 'user' });
  const flags = command.opts<{
    once: boolean;
    devices: number;
    json: boolean;
    timeout: number;
    fresh: boolean;
    state: string;
    links: LinkNames;
    withoutFunctions: boolean;
    port: Partial<Ports>;
    freePorts: boolean;
  }>();
  return {
    once: flags.once,
    devices: flags.devices,
    json: flags.json,
    timeoutMs: flags.timeout * 1_000,
    fresh: flags.fresh,
    stateDirectory: flags.state,
    withoutFunctions: flags.withoutFunctions,
    links: flags.links,
    ports: { ...(flags.freePorts ? FREE_PORTS : DEFAULT_PORTS), ...flags.port },
  };
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
    throw new InvalidArgumentError(`Write one of ${portList()}.`);
  }
  return { ...before, [name]: port };
}

function portList(): string {
  return Object.entries(DEFAULT_PORTS)
    .map(([name, port]) => `${name}=${port}`)
    .join(', ');
}
