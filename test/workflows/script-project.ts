import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** How a program has ended, and what it said. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program with these environment variables and the PATH, no others. */
export function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Said> {
  return new Promise((resolve) => {
    execFile(program, args, { env: { PATH: process.env.PATH, ...env } }, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    );
  });
}

/** A project in which `az` and `berth` only say how they were called. */
export interface ScriptProject {
  readonly path: string;
  write(file: string, content: string, mode?: number): void;
  read(file: string): string;
  /** How `az` and `berth` were called, a line each. */
  calls(): readonly string[];
  /** Runs a script of `scripts/deploy`. */
  script(name: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Said>;
}

/** Makes a new project, in a folder of its own. */
export function scriptProject(): ScriptProject {
  const write = (file: string, content: string, mode = 0o644) =>
    writeFileSync(join(project, file), content, { mode });
  const read = (file: string) => readFileSync(join(project, file), 'utf8');
  const project = temporaryFolder('scripts');
  cpSync('scripts/deploy', join(project, 'scripts/deploy'), { recursive: true });
  for (const folder of ['bin', 'dist', 'infra', 'base']) mkdirSync(join(project, folder));
  cpSync('infra/app-settings.json', join(project, 'infra/app-settings.json'));
  write('bin/az', '#!/bin/sh\necho "az $*" >> "$CALLS"\neval "$AZ"\n', 0o755);
  write(
    'dist/berth.cjs',
    `const args = process.argv.slice(2).join(' ');
     require('node:fs').appendFileSync(process.env.CALLS, 'berth ' + args + '\\n');
     if (process.env.FAILS && args.includes(process.env.FAILS)) process.exitCode = 1;
     const out = process.argv.indexOf('--out');
     if (out !== -1) require('node:fs').writeFileSync(process.argv[out + 1], 'a device\\n');
     if (args === 'enroll webhooks') process.stdout.write(process.env.WEBHOOKS ?? '');
     else console.log('key ' + process.env.BERTH_WEBHOOK_KEY + (process.env.SHOWS ? ' ' + process.env[process.env.SHOWS] : ''));`,
  );
  write('fleet.json', '{"hubs":[1]}');
  write('base/fleet.json', '{"hubs":[]}');
  write('infra/main.bicep', "targetScope = 'resourceGroup'\n");
  write('infra/production.bicepparam', '');
  write('infra/small.bicepparam', '');
  write('calls', '');
  return {
    path: project,
    write,
    read,
    calls: () => read('calls').trimEnd().split('\n'),
    script: (name, args, env = {}) =>
      run('bash', [join(project, 'scripts/deploy', name), ...args], {
        PATH: `${join(project, 'bin')}:${process.env.PATH}`,
        CALLS: join(project, 'calls'),
        AZURE_RESOURCE_GROUP: 'rg',
        BERTH_APP: 'app',
        KEY_PAUSE: '0',
        ...env,
      }),
  };
}
