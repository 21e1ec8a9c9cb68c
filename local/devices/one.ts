import { Client } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { Command, InvalidArgumentError, Option } from 'commander';
import * as z from 'zod';
import { isObject, type JsonObject } from '../../src/json/json.ts';
import { deriveDeviceKey } from '../dps/index.ts';
import { GROUP_KEY } from '../enrollments.ts';
import { describeRegistered } from './description.ts';
import { type Assigned, refusalOf, register } from './registration.ts';

/** `npm run device`: registers one device of your own with the running local stack. See `--help`. */

const STACK = z.object({
  ports: z.object({ https: z.number(), mqtt: z.number() }),
  idScope: z.string(),
  root: z.string(),
  settings: z.record(z.string(), z.string()),
});
type Stack = z.output<typeof STACK>;

interface Flags {
  readonly payload: JsonObject;
  readonly over: 'mqtt' | 'https';
  readonly control: string;
}

async function main(): Promise<void> {
  const command = new Command('npm run device --')
    .description('Registers a device with the local DPS and reads its twin, with Microsoft’s SDK.')
    .argument('<id>', 'registration id, such as my-device')
    .option('--payload <json>', 'payload of the registration: country, latency, …', jsonObject, {})
    .addOption(new Option('--over <protocol>', 'protocol to DPS').choices(['mqtt', 'https']).default('mqtt'))
    .option('--control <url>', 'control API of the local stack', 'http://127.0.0.1:7070')
    .parse();
  const [registrationId = ''] = command.args;
  const { payload, over, control } = command.opts<Flags>();
  const stack = await readStack(control);
  const key = deriveDeviceKey(GROUP_KEY, registrationId);
  const waiting = setInterval(
    () => console.error('DPS has not assigned a hub yet. It tries for seven minutes.'),
    5_000,
  );
  const since = Date.now();
  const tell = async (deviceId: string, hasTwin: boolean): Promise<void> => {
    const { settings } = stack;
    const about = { deviceId, registrationId, since, hasTwin, settings, bundles: __dirname };
    const text = await describeRegistered(about);
    console.log(
      text === undefined ? `why     npx --no berth describe device ${deviceId}` : `\n${text.trimEnd()}`,
    );
  };
  let assigned: Assigned;
  try {
    assigned = await register({
      registrationId,
      proof: { kind: 'key', key },
      payload,
      over,
      idScope: stack.idScope,
      ca: stack.root,
      httpsPort: stack.ports.https,
      mqttPort: stack.ports.mqtt,
    });
  } catch (error) {
    console.error(reasonOf(error));
    if (isRefusal(error)) await tell(registrationId, false);
    process.exitCode = 1;
    return;
  } finally {
    clearInterval(waiting);
  }
  const { hub, deviceId } = assigned;
  console.log(
    `${deviceId} is on ${hub}${assigned.payload ? `, payload ${JSON.stringify(assigned.payload)}` : ''}`,
  );
  console.log(`desired ${JSON.stringify(await readDesired(hub, deviceId, key, stack))}`);
  await tell(deviceId, true);
}

/** Reads the addresses and keys of the local stack. */
async function readStack(control: string): Promise<Stack> {
  try {
    const response = await fetch(`${control}/stack`, { signal: AbortSignal.timeout(5_000) });
    return STACK.parse(await response.json());
  } catch {
    throw new Error(
      `The local stack does not answer at ${control}. Run "npm start" in another terminal first.`,
    );
  }
}

async function readDesired(
  hub: string,
  deviceId: string,
  key: string,
  { ports, root }: Stack,
): Promise<unknown> {
  const client = Client.fromConnectionString(
    `HostName=${hub};DeviceId=${deviceId};SharedAccessKey=${key};GatewayHostName=localhost:${ports.mqtt}`,
    Mqtt,
  );
  await client.setOptions({ ca: root });
  try {
    await client.open();
    const { desired } = (await client.getTwin()).properties;
    return desired;
  } finally {
    await client.close().catch(() => {});
  }
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
