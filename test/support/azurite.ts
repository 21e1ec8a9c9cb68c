import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A running Azurite: blob, queue and table services on free ports, with all data in memory. */
export interface Azurite {
  /**
   * For `AzureWebJobsStorage` and the `fromConnectionString` of every storage client. It contains only the public
   * development key.
   */
  readonly connectionString: string;
  /** The connection string of another account from the start. */
  connectionStringOf(account: string): string;
  close(): Promise<void>;
}

/** The account and key from Azurite's documentation. They give access only to an emulator. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
/** Key of every further account. It can be any Base64. It is short, because one environment variable holds all keys. */
const SHORT_KEY = 'YmVydGg=';

const SERVICES = ['Blob', 'Queue', 'Table'] as const;

/** The line that Azurite prints for each service that listens, also with `--silent`. */
const LISTENING = /Azurite (\w+) service is successfully listening at \S+:(\d+)\s/g;

/**
 * Bundles Azurite as the build does, and starts it in a child process, which ends when this process ends. It has the development account and the given
 * further accounts. Accounts share no data.
 */
export async function startAzurite(accounts: readonly string[] = []): Promise<Azurite> {
  const keys = new Map([[ACCOUNT, KEY], ...accounts.map((account) => [account, SHORT_KEY] as const)]);
  const folder = mkdtempSync(join(tmpdir(), 'berth-azurite-'));
  const build = ['scripts/build/build.mjs', '--only', 'azurite', '--out', folder];
  await promisify(execFile)(process.execPath, build);
  const child = fork(
    join(folder, 'azurite.cjs'),
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
      execArgv: [
        // Fewer collections of garbage. They were an eighth of its CPU time.
        '--max-semi-space-size=64',
        ...['--import', 'data:text/javascript,process.on("disconnect",()=>process.exit())'],
      ],
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
    child.once('exit', (code) =>
      reject(new Error(`Azurite ended with code ${code} during its start: ${output}`)),
    );
  }).finally(() => rmSync(folder, { recursive: true, force: true }));

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
      child.kill('SIGKILL'); // all data is in memory, so there is no write to wait for
      await ended;
    },
  };
}
