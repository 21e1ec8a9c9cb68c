import { PassThrough } from 'node:stream';
import type { Cli } from '../../src/cli/shell/cli.ts';
import type { Environment } from '../../src/settings/settings.ts';

export const NOW = Date.UTC(2026, 10, 25, 12);

/** A command's surroundings, and what it has said. */
export interface Spoken {
  readonly cli: Cli;
  out(): string;
  err(): string;
}

export function listen(env: Environment = {}, now: () => number = () => NOW): Spoken {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const text = (stream: PassThrough) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    return () => Buffer.concat(chunks).toString('utf8');
  };
  return { cli: { terminal: { out, err }, env, now }, out: text(out), err: text(err) };
}
