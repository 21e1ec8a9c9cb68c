import { LocalError } from '../errors.ts';
import { reservePort } from '../listen.ts';
import type { LocalLog } from '../log.ts';
import { type Child, startChild } from '../processes/child.ts';
import { isAnswering } from '../processes/is-answering.ts';
import { type KeptRunning, keepRunning } from '../processes/kept-running.ts';
import { checkDatabases } from './databases.ts';

/** The account and key from Azurite's documentation. They give access only to an emulator. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

const SERVICES = ['blob', 'queue', 'table'] as const;
type Ports = Readonly<Record<(typeof SERVICES)[number], number>>;

/** The line that Azurite prints when a service listens. */
const LISTENING = /Azurite (\w+) service is successfully listening at /;

/** Lines that Azurite prints in spite of `--silent`. They are not logged. */
const ROUTINE = /^Azurite \w+ service (is (starting|closing)|successfully closed)/;

const START_MS = 60_000;

export interface AzuriteOptions {
  /** The bundled `local/azurite/main.ts`. */
  readonly file: string;
  /** Folder of its data. */
  readonly directory: string;
  /** 0 selects a free one. */
  readonly ports: Ports;
  /** Called when Azurite listens again after an unexpected end. It has lost its last writes; see `docs/local.md`. */
  readonly onReturn: () => void;
  readonly log: LocalLog;
}

/** Azurite, which starts in a process of its own while the other parts of the stack start. */
export interface Azurite {
  /** The ports in use. */
  readonly ports: Ports;
  /** The name of the account, the first part of each path. */
  readonly account: string;
  /** For every storage client. Holds the well-known development key only. */
  readonly connectionString: string;
  /**
   * Resolves when its three services listen. From then on, Azurite restarts on the same ports after an unexpected end.
   *
   * @throws LocalError `BERTH_LOCAL_AZURITE_FAILED`
   */
  readonly listening: Promise<KeptRunning>;
  /** Ends its process within `graceMs` milliseconds, also during its start. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Begins to start Azurite.
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN`, `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export async function startAzurite(options: AzuriteOptions): Promise<Azurite> {
  // For a port in use or a damaged file, Azurite prints only a stack trace. These checks give a message instead.
  const ports = await reservePorts(options.ports);
  checkDatabases(options.directory);
  const first = startFirst({ ...options, ports });
  let kept: KeptRunning | undefined;
  const listening = first.listening.then(() => {
    kept = keepAzurite(first.child, { ...options, ports });
    return kept;
  });
  listening.catch(() => {}); // if another part of the stack cannot start, nothing waits for this
  const endpoints = SERVICES.map((service) => {
    const name = `${service[0]?.toUpperCase()}${service.slice(1)}Endpoint`;
    return `${name}=http://127.0.0.1:${ports[service]}/${ACCOUNT}`;
  });
  return {
    ports,
    account: ACCOUNT,
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};${endpoints.join(';')};`,
    listening,
    // Before Azurite listens, it has nothing to write.
    stop: (graceMs) => kept?.stop(graceMs) ?? first.child.stop(0),
  };
}

function keepAzurite(first: Child, options: AzuriteOptions): KeptRunning {
  return keepRunning({
    name: 'azurite',
    title: 'Azurite',
    first,
    start() {
      let listening = 0;
      return launch(options, () => {
        listening += 1;
        if (listening === SERVICES.length) options.onReturn();
      });
    },
    obstacle: () => obstacleTo(options.ports, options.directory),
    responds: () => isAnswering(`http://127.0.0.1:${options.ports.blob}/`),
    log: options.log,
  });
}

async function reservePorts(ports: Ports): Promise<Ports> {
  const reserved = { ...ports };
  for (const service of SERVICES) {
    reserved[service] = await reservePort(ports[service], `Azurite (${service})`, service);
  }
  return reserved;
}

/** Why Azurite cannot restart: another program uses one of its ports, or its files are damaged. */
async function obstacleTo(ports: Ports, directory: string): Promise<string | undefined> {
  try {
    await reservePorts(ports);
    checkDatabases(directory);
    return undefined;
  } catch (error) {
    if (error instanceof LocalError) return error.message;
    throw error;
  }
}

/** The first process. `listening` rejects if it ends, or does not listen in time. */
function startFirst(options: AzuriteOptions): { readonly child: Child; readonly listening: Promise<void> } {
  const silent = new Set<string>(SERVICES);
  let onListening = () => {};
  const child = launch(options, (service) => {
    silent.delete(service);
    if (silent.size === 0) onListening();
  });
  let timer: NodeJS.Timeout | undefined;
  const listening = new Promise<void>((resolve, reject) => {
    onListening = resolve;
    child.ended.then((how) => reject(failed(`ended during its start (${how})`)));
    timer = setTimeout(() => reject(failed(`did not listen within ${START_MS / 1_000} s`)), START_MS);
  }).finally(() => clearTimeout(timer));
  return { child, listening };
}

function failed(what: string): LocalError {
  return new LocalError(
    'BERTH_LOCAL_AZURITE_FAILED',
    `Azurite ${what}. The lines above give the reason. If Azurite cannot read its stored data, start with --fresh.`,
  );
}

function launch(
  { file, directory, ports, log }: AzuriteOptions,
  onListening: (service: string) => void,
): Child {
  return startChild({
    name: 'azurite',
    file,
    // Source maps would lengthen its start by a fifth. Its own files have none that help here.
    nodeOptions: [],
    args: [
      '--location',
      directory,
      '--silent',
      '--skipApiVersionCheck',
      '--disableTelemetry',
      ...SERVICES.flatMap((service) => [`--${service}Port`, String(ports[service])]),
    ],
    onLine(line) {
      const [, service] = LISTENING.exec(line.trim()) ?? [];
      if (service !== undefined) onListening(service.toLowerCase());
      else if (!ROUTINE.test(line)) log.warn(`Azurite: ${line}`);
    },
  });
}
