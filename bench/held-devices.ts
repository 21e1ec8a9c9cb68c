import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { SharedAccessSignature } from 'azure-iot-common';
import { generate, parser } from 'mqtt-packet';

// How many devices the local hubs hold over MQTT: the time to connect all, the memory of the stack, the time of one message
// from each, and the time until a stack that was killed holds them all again. Each device is a TLS connection of this
// process, with the password of the hub's policy `device`.
//
// npm run bench:held -- [devices]

const DEVICES = Number(process.argv[2] ?? 2_000);
const HUBS = ['held-1.azure-devices.net', 'held-2.azure-devices.net'];
const POLICIES = {
  owner: ['iothubowner', 'berth-local-development-key-0001'],
  device: ['device', 'berth-local-key-of-device'],
} as const;
/** Handshakes at a time. */
const AT_ONCE = 32;
const KEEP_ALIVE_SECONDS = 60;
const HELD_MS = 30_000;

interface Stack {
  readonly root: string;
  readonly ports: { readonly rest: number; readonly mqtt: number };
}

function token(policy: keyof typeof POLICIES, host: string): string {
  const [name, text] = POLICIES[policy];
  const key = Buffer.from(text).toString('base64');
  return SharedAccessSignature.create(host, name, key, Math.ceil(Date.now() / 1_000) + 3_600).toString();
}

const hostOf = (index: number): string => HUBS[index % HUBS.length] ?? '';

async function createDevices({ ports }: Stack): Promise<void> {
  for (const [at, host] of HUBS.entries()) {
    const ids = Array.from({ length: DEVICES }, (_, index) => index).filter(
      (index) => index % HUBS.length === at,
    );
    for (let start = 0; start < ids.length; start += 100) {
      const body = ids
        .slice(start, start + 100)
        .map((index) => ({ id: `held-${index}`, importMode: 'create' }));
      await post(ports.rest, host, '/devices?api-version=2021-04-12', JSON.stringify(body));
    }
  }
}

/** A call of the service API. The host name selects the hub, so `fetch` cannot make it. */
function post(port: number, host: string, path: string, body: string): Promise<void> {
  const headers = { host, authorization: token('owner', host), 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, method: 'POST', headers }, (response) => {
      response
        .resume()
        .once('end', () =>
          response.statusCode === 200 ? resolve() : reject(new Error(`${path}: ${response.statusCode}`)),
        );
    });
    call.once('error', reject);
    call.end(body);
  });
}

/** A connected device. */
interface Held {
  readonly socket: TLSSocket;
  /** Sends a message and waits for its acknowledgement. */
  send(): Promise<void>;
}

function hold(index: number, { ports, root }: Stack): Promise<Held> {
  const host = hostOf(index);
  const clientId = `held-${index}`;
  return new Promise((resolve, reject) => {
    const socket = connect({ port: ports.mqtt, host: '127.0.0.1', servername: host, ca: root });
    const packets = parser();
    let acknowledged: (() => void) | undefined;
    packets.on('packet', (packet) => {
      if (packet.cmd === 'connack') {
        if (packet.returnCode !== 0) return reject(new Error(`${clientId} is refused: ${packet.returnCode}`));
        const timer = setInterval(
          () => socket.write(generate({ cmd: 'pingreq' })),
          (KEEP_ALIVE_SECONDS * 1_000) / 2,
        );
        socket.once('close', () => clearInterval(timer));
        resolve({
          socket,
          send: () =>
            new Promise((done) => {
              acknowledged = done;
              socket.write(
                generate({
                  cmd: 'publish',
                  topic: `devices/${clientId}/messages/events/`,
                  payload: '{"temperature":20}',
                  qos: 1,
                  messageId: 1,
                  dup: false,
                  retain: false,
                }),
              );
            }),
        });
      }
      if (packet.cmd === 'puback') acknowledged?.();
    });
    socket.on('data', (chunk) => packets.parse(chunk));
    socket.on('error', reject);
    socket.once('secureConnect', () =>
      socket.write(
        generate({
          cmd: 'connect',
          protocolId: 'MQTT',
          protocolVersion: 4,
          clean: true,
          clientId,
          keepalive: KEEP_ALIVE_SECONDS,
          username: `${host}/${clientId}/?api-version=2021-04-12`,
          password: Buffer.from(token('device', host)),
        }),
      ),
    );
  });
}

/** Connects all devices, some at a time. A device that is not let in tries again, as an SDK does. */
async function holdAll(stack: Stack): Promise<readonly Held[]> {
  const held: Held[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < DEVICES; index = next++) {
      for (let tries = 0; ; tries += 1) {
        const device = await hold(index, stack).catch((error: unknown) => {
          if (tries > 100) throw error;
        });
        if (device !== undefined) {
          held.push(device);
          break;
        }
        await delay(200);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return held;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-held-'));
  const hubs = HUBS.map((host) => ({ host, tier: 'S3', units: 10 }));
  writeFileSync(join(folder, 'local.json'), JSON.stringify({ hubs }));
  const program = spawn(process.execPath, [join(__dirname, 'local.cjs'), '--plain', '--free-ports'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const control = await new Promise<string>((resolve) => {
      let text = '';
      program.stdout.on('data', (chunk) => {
        text += chunk;
        const found = /control API (http:\S+)\)/.exec(text)?.[1];
        if (found !== undefined) resolve(found);
      });
    });
    const get = async <T>(path: string): Promise<T> => (await (await fetch(`${control}${path}`)).json()) as T;
    const supervisor = async () =>
      (await get<readonly { name: string; pid: number }[]>('/processes')).find(
        ({ name }) => name === 'supervisor',
      )?.pid ?? 0;
    const connected = async () =>
      (await get<readonly { connected: number }[]>('/hubs')).reduce((sum, hub) => sum + hub.connected, 0);
    const memory = (pid: number) =>
      Math.round(
        Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024,
      );

    const stack = await get<Stack>('/stack');
    await createDevices(stack);
    const pid = await supervisor();
    console.log(`${DEVICES} devices; load ${loadavg()[0]?.toFixed(1)}; memory before: ${memory(pid)} MB`);

    let since = Date.now();
    const held = await holdAll(stack);
    console.log(
      `all connected in ${seconds(since)}; memory ${memory(pid)} MB; the hubs count ${await connected()}`,
    );
    since = Date.now();
    await Promise.all(held.map((device) => device.send()));
    console.log(`one message of each in ${seconds(since)}`);
    await delay(HELD_MS);
    console.log(`after ${HELD_MS / 1_000} s the hubs count ${await connected()}; memory ${memory(pid)} MB`);

    since = Date.now();
    process.kill(pid, 'SIGKILL');
    for (;;) {
      const now = await supervisor().catch(() => pid);
      if (now !== pid) break;
      await delay(50);
    }
    console.log(`killed; it answers again after ${seconds(since)}`);
    const again = await holdAll(stack);
    console.log(
      `all ${again.length} connected again after ${seconds(since)}; load ${loadavg()[0]?.toFixed(1)}`,
    );
    for (const { socket } of [...held, ...again]) socket.destroy();
  } finally {
    program.kill('SIGINT');
    await new Promise((resolve) => program.once('exit', resolve));
    rmSync(folder, { recursive: true, force: true });
  }
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1_000).toFixed(1)} s`;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
