import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';

/** A running Azurite of its own: blob, queue and table services on free ports, everything in memory. */
export interface Azurite {
  /**
   * For `AzureWebJobsStorage` and the `fromConnectionString` of every storage client. Holds the well-known
   * development key only.
   */
  readonly connectionString: string;
  close(): Promise<void>;
}

/** The account and key that Azurite's documentation publishes; they open nothing but an emulator. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

const SERVICES = ['Blob', 'Queue', 'Table'] as const;

/** What Azurite prints, even when silent, for each service that is up. */
const LISTENING = /Azurite (\w+) service is successfully listening at \S+:(\d+)\s/g;

/** Starts Azurite in a child process that also ends when this process dies. */
export async function startAzurite(): Promise<Azurite> {
  const child = fork(
    createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js'),
    [
      '--inMemoryPersistence',
      '--silent',
      '--skipApiVersionCheck',
      '--disableTelemetry',
      ...SERVICES.flatMap((service) => [`--${service.toLowerCase()}Port`, '0']),
    ],
    {
      silent: true,
      execArgv: ['--import', 'data:text/javascript,process.on("disconnect",()=>process.exit())'],
    },
  );
  const ended = once(child, 'exit');

  const ports = new Map<string, string>();
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      for (const [, service = '', port = ''] of output.matchAll(LISTENING)) ports.set(service, port);
      if (SERVICES.every((service) => ports.has(service))) resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`Azurite ended with code ${code} at start: ${output}`)));
  });

  const endpoint = (service: (typeof SERVICES)[number]) =>
    `${service}Endpoint=http://127.0.0.1:${ports.get(service)}/${ACCOUNT}`;
  return {
    connectionString: [
      'DefaultEndpointsProtocol=http',
      `AccountName=${ACCOUNT}`,
      `AccountKey=${KEY}`,
      ...SERVICES.map(endpoint),
      '',
    ].join(';'),
    async close() {
      child.kill('SIGKILL'); // nothing is kept, so there is nothing to wait for
      await ended;
    },
  };
}
