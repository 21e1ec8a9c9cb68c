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
type Service = (typeof SERVICES)[number];
type Ports = Readonly<Record<Service, number>>;

/** The line that Azurite prints when a service listens. */
const LISTENING = /Azurite (\w+) service is successfully listening at \S+:(\d+)$/;

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

export interface Azurite {
  /** Restarts on the same ports after an unexpected end. */
  readonly process: KeptRunning;
  /** The ports in use. */
  readonly ports: Ports;
  /** The name of the account, the first part of each path. */
  readonly account: string;
  /** For every storage client. Holds the well-known development key only. */
  readonly connectionString: string;
}

/**
 * Starts Azurite, resolves when its three services listen, and keeps it running.
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN`, `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`,
 *   `BERTH_LOCAL_AZURITE_FAILED`
 */
export async function startAzurite(options: AzuriteOptions): Promise<Azurite> {
  // For a port in use or a damaged file, Azurite prints only a stack trace. These checks give a message instead.
  const reserved = await reservePorts(options.ports);
  checkDatabases(options.directory);
  const { child: first, ports } = await startFirst({ ...options, ports: reserved });
  const endpoints = SERVICES.map((service) => {
    const name = `${service[0]?.toUpperCase()}${service.slice(1)}Endpoint`;
    return `${name}=http://127.0.0.1:${ports[service]}/${ACCOUNT}`;
  });
  return {
    process: keepRunning({
      name: 'azurite',
      title: 'Azurite',
      first,
      start() {
        let listening = 0;
        return launch({ ...options, ports }, () => {
          listening += 1;
          if (listening === SERVICES.length) options.onReturn();
        });
      },
      obstacle: () => obstacleTo(ports, options.directory),
      responds: () => isAnswering(`http://127.0.0.1:${ports.blob}/`),
      log: options.log,
    }),
    ports,
    account: ACCOUNT,
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};${endpoints.join(';')};`,
  };
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

async function startFirst(
  options: AzuriteOptions,
): Promise<{ readonly child: Child; readonly ports: Ports }> {
  const found = new Map<string, number>();
  let child: Child | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const started = launch(options, (service, port) => {
        found.set(service, port);
        if (found.size === SERVICES.length)
          resolve({ child: started, ports: Object.fromEntries(found) as Ports });
      });
      child = started;
      started.ended.then((how) => reject(failed(`ended during its start (${how})`)));
      timer = setTimeout(() => reject(failed(`did not listen within ${START_MS / 1_000} s`)), START_MS);
    });
  } catch (error) {
    await child?.stop(0);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function failed(what: string): LocalError {
  return new LocalError(
    'BERTH_LOCAL_AZURITE_FAILED',
    `Azurite ${what}. The lines above give the reason. If Azurite cannot read its stored data, start with --fresh.`,
  );
}

function launch(
  { file, directory, ports, log }: AzuriteOptions,
  onListening: (service: string, port: number) => void,
): Child {
  return startChild({
    name: 'azurite',
    file,
    args: [
      '--location',
      directory,
      '--silent',
      '--skipApiVersionCheck',
      '--disableTelemetry',
      ...SERVICES.flatMap((service) => [`--${service}Port`, String(ports[service])]),
    ],
    onLine(line) {
      const [, service, port] = LISTENING.exec(line.trim()) ?? [];
      if (service !== undefined) onListening(service.toLowerCase(), Number(port));
      else if (!ROUTINE.test(line)) log.warn(`Azurite: ${line}`);
    },
  });
}
