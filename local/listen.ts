import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { LocalError } from './errors.ts';
import type { Ports } from './options.ts';

/** The two loopback addresses. `localhost` can mean either; many programs try IPv6 first. */
const IPV4 = '127.0.0.1';
const IPV6 = '::1';
/** A machine without IPv6. */
const NO_IPV6: ReadonlySet<string | undefined> = new Set([
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EPROTONOSUPPORT',
]);
/**
 * For port 0: ports that an operating system does not give to connections that programs open. Linux gives those from 32768 on
 * (ip(7), `ip_local_port_range`), Windows and macOS those from 49152 on. So no connection takes the port of a server that
 * starts later or again.
 */
const QUIET_PORTS = { first: 20_000, end: 32_000 };
/**
 * For ports that are reserved for a process that starts later: a range of their own. In the meantime, no server of another stack that
 * asks for a free port takes them.
 */
const RESERVED_PORTS = { first: 12_000, end: 16_000 };
/** The process that reserves a port listens on another one, so that no other stack reserves the same port: this much above it. */
const MARK_DISTANCE = 4_000;
const MARKS = { first: RESERVED_PORTS.first + MARK_DISTANCE, end: RESERVED_PORTS.end + MARK_DISTANCE };
/** For port 0: how often another port is tried if the chosen one is taken. */
const MAX_TRIES = 50;

/**
 * Listens on loopback, on 127.0.0.1 and on [::1], and resolves with the port in use (0 selects a free one). Without IPv6,
 * it listens on 127.0.0.1 only. When the server closes, both end.
 *
 * @param name the port as `--port` takes it, if the operator can choose it.
 * @param range from which a free port is chosen.
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN` if another program listens on the port, `BERTH_LOCAL_PORT_REFUSED` if the
 *   operating system does not allow it.
 */
export async function listen(
  server: Server,
  port: number,
  what: string,
  name?: keyof Ports,
  range = QUIET_PORTS,
): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const chosen = port === 0 ? randomInt(range.first, range.end) : port;
    try {
      await listenOnBoth(server, chosen);
      return chosen;
    } catch (error) {
      const mayTryAgain = port === 0 && tries < MAX_TRIES && codeOf(error) === 'EADDRINUSE';
      if (!mayTryAgain) throw failureOf(error, chosen, what, name);
    }
  }
}

async function listenOnBoth(server: Server, port: number): Promise<void> {
  await listenOn(server, port, IPV4);
  try {
    await listenOnIpv6(server, port);
  } catch (error) {
    await new Promise((resolve) => server.close(resolve));
    throw error;
  }
}

/**
 * Gives the connections of a second listener to the server, because a `net.Server` has only one address. A server that
 * closes gets no more of them.
 */
async function listenOnIpv6(server: Server, port: number): Promise<void> {
  // HTTP answers a client that has ended its side. This option is not in the types.
  const { allowHalfOpen = false } = server as Server & { readonly allowHalfOpen?: boolean };
  const second = createServer({ allowHalfOpen }, (socket) => {
    if (server.listening) server.emit('connection', socket);
    else socket.destroy();
  });
  try {
    await listenOn(second, port, IPV6);
  } catch (error) {
    if (NO_IPV6.has(codeOf(error))) return;
    throw error;
  }
  second.unref(); // it must not keep the process running longer than the server does
  server.once('close', () => second.close());
}

function listenOn(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onListening = () => {
      server.off('error', onError);
      resolve();
    };
    const onError = (error: Error) => {
      server.off('listening', onListening);
      reject(error);
    };
    server.once('error', onError);
    server.once('listening', onListening);
    server.listen(port, host);
  });
}

function failureOf(error: unknown, port: number, what: string, name: keyof Ports | undefined): unknown {
  if (codeOf(error) === 'EACCES') {
    const need = `Port ${port} for ${what} needs a right that you do not have: ${rightFor(port, process.platform)}`;
    return new LocalError('BERTH_LOCAL_PORT_REFUSED', need, { cause: error });
  }
  if (codeOf(error) !== 'EADDRINUSE') return error;
  return new LocalError(
    'BERTH_LOCAL_PORT_TAKEN',
    `Port ${port} for ${what} is in use by another program.${remedy(port, name)}`,
    { cause: error },
  );
}

/** How to get the right to listen on a port, as the end of a sentence. */
export function rightFor(port: number, platform: NodeJS.Platform): string {
  if (platform === 'linux') {
    return `run "sudo sysctl -w net.ipv4.ip_unprivileged_port_start=${port}" once, or use another port with --port.`;
  }
  if (platform === 'win32') {
    return 'run "net stop http" as an administrator, or use another port with --port.';
  }
  return 'run the command with sudo, or use another port with --port.';
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}

/**
 * Checks that a port is free for a process that starts later, and returns it. For 0, it returns a free port that stays reserved until
 * this process ends.
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN`
 */
export async function reservePort(port: number, what: string, name?: keyof Ports): Promise<number> {
  if (port !== 0) {
    const server = createServer();
    await listen(server, port, what, name);
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  for (;;) {
    const mark = createServer((socket) => socket.destroy());
    const reserved = (await listen(mark, 0, what, name, MARKS)) - MARK_DISTANCE;
    mark.unref();
    if (await isFree(reserved)) return reserved;
    mark.close();
  }
}

/** How long processes of a stack that was killed may take to end. */
const ENDING_MS = 15_000;

/**
 * Waits until the ports of a stack that was killed are free: its other processes still end. After fifteen seconds, the start
 * goes on and names the port that is taken.
 */
export async function untilFree(ports: Ports, signal: AbortSignal): Promise<void> {
  const until = Date.now() + ENDING_MS;
  for (const port of Object.values(ports)) {
    while (port !== 0 && Date.now() < until && !signal.aborted && !(await isFree(port)))
      await delay(100, undefined, { signal }).catch(() => {});
  }
}

async function isFree(port: number): Promise<boolean> {
  return reservePort(port, 'a service').then(
    () => true,
    () => false,
  );
}

function remedy(port: number, name: keyof Ports | undefined): string {
  if (name === undefined) return '';
  const other = port < 65_535 ? port + 1 : port - 1;
  return ` End that program, use another port (npm start -- --port ${name}=${other}), or use free ports for everything (npm start -- --free-ports).`;
}
