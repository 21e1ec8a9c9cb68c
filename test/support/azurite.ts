import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';

/** A running Azurite: blob, queue and table services on free ports, everything in memory. */
export interface Azurite {
  /**
   * For `AzureWebJobsStorage` and the `fromConnectionString` of every storage client. Holds the well-known
   * development key only.
   */
  readonly connectionString: string;
  /** The same for another of the accounts that it was started with. */
  connectionStringOf(account: string): string;
  close(): Promise<void>;
}

/** The account and key that Azurite's documentation publishes; they open nothing but an emulator. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
/** Key of every further account: any Base64 will do. One environment variable has to hold them all. */
const SHORT_KEY = 'YmVydGg=';

const SERVICES = ['Blob', 'Queue', 'Table'] as const;

/** What Azurite prints, even when silent, for each service that is up. */
const LISTENING = /Azurite (\w+) service is successfully listening at \S+:(\d+)\s/g;

/**
 * Starts Azurite in a child process that also ends when this process dies. It has the development account and, if named,
 * further accounts, which share nothing.
 */
export async function startAzurite(accounts: readonly string[] = []): Promise<Azurite> {
  const keys = new Map([[ACCOUNT, KEY], ...accounts.map((account) => [account, SHORT_KEY] as const)]);
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
      env: {
        ...process.env,
        AZURITE_ACCOUNTS: [...keys].map((accountAndKey) => accountAndKey.join(':')).join(';'),
      },
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

  const connectionStringOf = (account: string) => {
    const endpoint = (service: (typeof SERVICES)[number]) =>
      `${service}Endpoint=http://127.0.0.1:${ports.get(service)}/${account}`;
    return [
      'DefaultEndpointsProtocol=http',
      `AccountName=${account}`,
      `AccountKey=${keys.get(account)}`,
      ...SERVICES.map(endpoint),
      '',
    ].join(';');
  };
  return {
    connectionString: connectionStringOf(ACCOUNT),
    connectionStringOf,
    async close() {
      child.kill('SIGKILL'); // nothing is kept, so there is nothing to wait for
      await ended;
    },
  };
}
