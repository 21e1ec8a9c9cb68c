import type { Berth } from '../api/berth.ts';
import type { Argv } from './argv.ts';

/** What a command said. */
export interface CommandOutput {
  readonly isSuccess: boolean;
  readonly text: string;
}

/** Runs a `berth` command in the local stack: `POST /commands` of its control API. */
export async function runCommand({ environment, client }: Berth, argv: Argv): Promise<CommandOutput> {
  if (environment.kind !== 'local')
    return { isSuccess: false, text: 'Commands run only in the local stack.' };
  const answer = await client.send('POST', `${environment.control}/commands`, { argv });
  if (answer.kind === 'ok') return resultOf(answer.body);
  if (answer.kind === 'refused') return { isSuccess: false, text: answer.problem.message };
  return { isSuccess: false, text: 'The control API of the local stack does not answer. Run: npm start' };
}

function resultOf(body: unknown): CommandOutput {
  const { exitCode, out, err } = body as { exitCode?: unknown; out?: unknown; err?: unknown };
  return { isSuccess: exitCode === 0, text: [...linesOf(err), ...linesOf(out)].join('\n') };
}

function linesOf(lines: unknown): readonly string[] {
  return Array.isArray(lines) ? lines.map(String) : [];
}
