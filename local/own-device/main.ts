import { readFileSync } from 'node:fs';
import type { Client } from 'azure-iot-device';
import { Command, InvalidArgumentError, Option } from 'commander';
import { isObject, type JsonObject } from '../../src/json/json.ts';
import { currentTwin } from '../current-twin.ts';
import type { DeviceProof } from '../devices/messages.ts';
import { type Assigned, refusalOf, register } from '../devices/registration.ts';
import { registerWithTpm } from '../devices/tpm-device.ts';
import { faultsOfControlApi } from '../edge/device/control-faults.ts';
import { SimulatedEdge } from '../edge/device/simulated-edge.ts';
import type { OwnDevice } from './credentials.ts';
import { describeRegistered } from './description.ts';
import { deviceClient, type OwnAssigned } from './device-client.ts';
import { deviceEnvironment, SHELLS, type ShellName, shellLines } from './environment.ts';
import { nextCommand, USUAL_CONTROL } from './next-command.ts';
import { askForCredentials, type RunningStack, readEventsConnection, readStack } from './stack.ts';
import { stayConnected } from './stay.ts';
import { readTpmKeys } from './tpm-file.ts';

/** `npm run device`: registers one device of your own with the running local stack. See `--help`. */

interface Flags {
  readonly payload: JsonObject;
  readonly over: 'mqtt' | 'https';
  readonly group?: string;
  readonly x509: boolean;
  readonly tpm: boolean;
  readonly edge: boolean;
  readonly printEnv: boolean;
  readonly shell: ShellName;
  readonly stay: boolean;
  readonly method: readonly string[];
  readonly control: string;
}

const SYSTEM_SHELL: ShellName = process.platform === 'win32' ? 'powershell' : 'sh';

function readCommandLine(): { readonly registrationId: string; readonly flags: Flags } {
  const command = new Command('npm run device --')
    .description('Registers a device with the local DPS and reads its twin, with Microsoft’s SDK.')
    .argument('<id>', 'registration id, such as my-device')
    .option('--payload <json>', 'payload of the registration: country, latency, …', jsonObject, {})
    .addOption(new Option('--over <protocol>', 'protocol to DPS').choices(['mqtt', 'https']).default('mqtt'))
    .option('--group <name>', 'enrollment group; it is made if there is none of this name')
    .option('--x509', 'with a certificate in place of a key', false)
    .addOption(
      new Option('--tpm', 'with a simulated TPM in place of a key; registers over HTTPS')
        .default(false)
        .conflicts(['x509', 'group', 'printEnv']),
    )
    .option('--edge', 'an IoT Edge device; with --stay, the simulated runtime runs on it', false)
    .option('--print-env', 'print the environment of the device for the shell, and nothing else', false)
    .addOption(
      new Option('--shell <name>', 'the form of --print-env').choices([...SHELLS]).default(SYSTEM_SHELL),
    )
    .option('--stay', 'stay connected, send telemetry, and print what arrives, until Ctrl-C', false)
    .option('--method <names...>', 'with --stay: the direct methods that the device answers', ['ping'])
    .option('--control <url>', 'control API of the local stack', USUAL_CONTROL)
    .parse();
  return { registrationId: command.args[0] ?? '', flags: command.opts<Flags>() };
}

async function main(): Promise<void> {
  const { registrationId, flags } = readCommandLine();
  const { group, edge } = flags;
  const stack = await readStack(flags.control);
  const proof = flags.tpm ? 'tpm' : flags.x509 ? 'x509' : 'key';
  const own = await askForCredentials(flags.control, { registrationId, proof, group, edge });
  const since = Date.now();
  let assigned: OwnAssigned;
  try {
    assigned = await registerOwn(own, stack, flags);
  } catch (error) {
    console.error(reasonOf(error));
    if (isRefusal(error))
      await explain({ deviceId: registrationId, registrationId, since, hasTwin: false }, flags, stack);
    process.exitCode = 1;
    return;
  }
  const where = `${assigned.deviceId} is on ${assigned.hub}`;
  if (flags.printEnv) {
    console.error(where);
    const events = await readEventsConnection(flags.control, assigned.hub);
    const environment = deviceEnvironment(assigned, own, stack, events);
    for (const line of shellLines(environment, flags.shell)) console.log(line);
    if (!flags.stay) return;
  } else {
    console.log(`${where}${assigned.payload ? `, payload ${JSON.stringify(assigned.payload)}` : ''}`);
  }
  const print = flags.printEnv ? console.error : console.log;
  await connect(assigned, own, stack, async (client) => {
    const twin = await currentTwin(client);
    if (!flags.printEnv) {
      print(`desired ${JSON.stringify(twin.properties.desired)}`);
      await explain({ deviceId: assigned.deviceId, registrationId, since, hasTwin: true }, flags, stack);
      if (edge && own.key !== null && !flags.stay)
        print(`runtime ${nextCommand(registrationId, flags, '--stay')}`);
    }
    if (flags.stay) {
      const { method: methods } = flags;
      const signal = untilCtrlC();
      const runtime = flags.edge
        ? runEdge(assigned, own, stack, { control: flags.control, print, signal })
        : undefined;
      await stayConnected({ client, twin, methods, print, signal });
      await runtime;
    }
  });
}

interface EdgeRun {
  readonly control: string;
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Runs the simulated runtime of IoT Edge as this device. It signs with the key of the device. */
async function runEdge(
  { hub, deviceId }: Assigned,
  { key }: OwnDevice,
  { ports, root: ca }: RunningStack,
  { control, print, signal }: EdgeRun,
): Promise<void> {
  if (key === null) {
    console.error(
      'The simulated runtime needs a key: leave out --x509 and --tpm. Only the identity is used.',
    );
    return;
  }
  const address = { hub, deviceId, key, ca, mqttPort: ports.mqtt, httpsPort: ports.https };
  const onChange = (summary: string) => print(`edge    ${summary}`);
  await new SimulatedEdge({
    ...address,
    faults: faultsOfControlApi(control, address),
    onChange,
    signal,
  }).run();
}

async function registerOwn(
  own: OwnDevice,
  stack: RunningStack,
  { payload, over }: Flags,
): Promise<OwnAssigned> {
  const waiting = setInterval(
    () => console.error('DPS has not assigned a hub yet. It tries for seven minutes.'),
    5_000,
  );
  const keys = own.tpm === null ? undefined : readTpmKeys(own.tpm);
  const { registrationId, idScope } = own;
  const httpsPort = stack.ports.https;
  try {
    if (keys !== undefined)
      return await registerWithTpm({ registrationId, keys, payload, idScope, ca: stack.root, httpsPort });
    return await register({
      registrationId,
      proof: proofOf(own),
      payload,
      over,
      idScope,
      ca: stack.root,
      httpsPort,
      mqttPort: stack.ports.mqtt,
    });
  } finally {
    clearInterval(waiting);
  }
}

function proofOf({ key, certificate }: OwnDevice): DeviceProof {
  if (certificate === null) return { kind: 'key', key: key ?? '' };
  const { certificate: file, key: keyFile } = certificate;
  return { kind: 'certificate', certificate: readFileSync(file, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

/** Prints why the device is on its hub, or, without Berth, how a program connects as this device. */
async function explain(
  about: {
    readonly deviceId: string;
    readonly registrationId: string;
    /** Milliseconds since the epoch. */
    readonly since: number;
    readonly hasTwin: boolean;
  },
  flags: Flags,
  { plain, settings }: RunningStack,
): Promise<void> {
  const { deviceId, registrationId } = about;
  if (plain) {
    // A TPM keeps its key, so there is no environment for a program.
    if (!flags.tpm) console.log(`program ${nextCommand(registrationId, flags, '--print-env')}`);
    return;
  }
  const text = await describeRegistered({ ...about, settings, bundles: __dirname });
  console.log(
    text === undefined ? `why     npx --no berth describe device ${deviceId}` : `\n${text.trimEnd()}`,
  );
}

/** Connects the device and closes the connection after `use`. */
async function connect(
  assigned: OwnAssigned,
  own: OwnDevice,
  stack: RunningStack,
  use: (client: Client) => Promise<void>,
): Promise<void> {
  const proof = proofOf(own);
  const client = deviceClient(assigned, own, stack);
  await client.setOptions({
    ca: stack.root,
    ...(proof.kind === 'certificate' && { cert: proof.certificate, key: proof.key }),
  });
  try {
    await client.open();
    await use(client);
  } finally {
    await client.close().catch(() => {});
  }
}

function untilCtrlC(): AbortSignal {
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  return ending.signal;
}

function jsonObject(text: string): JsonObject {
  try {
    const json: unknown = JSON.parse(text);
    if (isObject(json)) return json;
  } catch {
    // The error below reports it.
  }
  throw new InvalidArgumentError('It must be a JSON object, such as \'{"country":"DE"}\'.');
}

/** Whether DPS refused the device, so that Berth may have decided. */
function isRefusal(error: unknown): boolean {
  return refusalOf(error) !== undefined;
}

/** The reason of DPS if it refused the device. */
function reasonOf(error: unknown): string {
  return refusalOf(error) ?? (error instanceof Error ? error.message : String(error));
}

main().then(
  () => process.exit(process.exitCode),
  (error: unknown) => {
    console.error(reasonOf(error));
    process.exit(1);
  },
);
