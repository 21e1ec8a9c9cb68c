import { reservePort } from '../listen.ts';
import { type Child, startChild } from '../processes/child.ts';

/** The account and key that Azurite's documentation publishes; they open nothing but an emulator. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

const SERVICES = ['blob', 'queue', 'table'] as const;
type Service = (typeof SERVICES)[number];
/** What Azurite prints for each service that is up. */
const LISTENING = /Azurite (\w+) service is successfully listening at \S+:(\d+)$/;

/** What it prints though it is to be silent, and nobody needs. */
const ROUTINE = /^Azurite \w+ service (is (starting|closing)|successfully closed)/;

export interface AzuriteOptions {
  /** The bundled `local/azurite/main.ts`. */
  readonly file: string;
  /** Where it keeps its data. */
  readonly directory: string;
  /** 0 asks for a free one. */
  readonly ports: Readonly<Record<Service, number>>;
  readonly onLine: (line: string) => void;
}

export interface Azurite {
  readonly child: Child;
  /** The ports in use. */
  readonly ports: Readonly<Record<Service, number>>;
  /** For every storage client. Holds the well-known development key only. */
  readonly connectionString: string;
}

/**
 * Starts Azurite and resolves when its three services listen.
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN`
 */
export async function startAzurite({ file, directory, ports, onLine }: AzuriteOptions): Promise<Azurite> {
  // Azurite's own words for a taken port are a stack; ours are a sentence.
  for (const service of SERVICES) await reservePort(ports[service], `Azurite (${service})`);
  const found = new Map<string, number>();
  const starting = new Promise<Child>((resolve, reject) => {
    const child = startChild({
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
        if (service !== undefined) found.set(service.toLowerCase(), Number(port));
        else if (!ROUTINE.test(line)) onLine(line);
        if (found.size === SERVICES.length) resolve(child);
      },
    });
    child.ended.then((how) => reject(new Error(`Azurite ended at its start: ${how}.`)));
  });
  const child = await starting;
  const endpoints = SERVICES.map((service) => {
    const name = `${service[0]?.toUpperCase()}${service.slice(1)}Endpoint`;
    return `${name}=http://127.0.0.1:${found.get(service)}/${ACCOUNT}`;
  });
  return {
    child,
    ports: Object.fromEntries(SERVICES.map((service) => [service, found.get(service)])) as Azurite['ports'],
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};${endpoints.join(';')};`,
  };
}
