import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import { type Threads, type WhatIfOptions, whatIf } from './what-if.ts';
import { type WhatIfTwinsOptions, whatIfTwins } from './what-if-twins.ts';

/** All options of `berth what-if`, of which some are about placement and some about twins. */
export interface Question extends Omit<WhatIfOptions, 'devices'>, WhatIfTwinsOptions {
  readonly devices?: string | undefined;
  readonly twins: boolean;
}

/** `berth what-if`: what a fleet file would do to the placement of devices, or to twins. */
export async function answerWhatIf(cli: Cli, question: Question, threads: Threads): Promise<number> {
  const { devices, payload, maxMoves, maxWrites, first } = question;
  if (question.twins) {
    refuse('--twins asks about the twins that the state tables know', {
      '--devices': devices,
      '--payload': payload[0],
      '--max-moves': maxMoves,
    });
    return whatIfTwins(cli, question);
  }
  refuse('Without --twins it is the placement that is asked about', {
    '--max-writes': maxWrites,
    '--first': first,
  });
  if (devices === undefined) {
    throw invalid(
      'Nothing is asked: give --devices (where they would go) or --twins (what would be written).',
    );
  }
  return whatIf(cli, { ...question, devices }, threads);
}

/** @throws BerthError `BERTH_ARGUMENT_INVALID` where one of these options is given */
function refuse(why: string, options: Readonly<Record<string, string | undefined>>): void {
  const given = Object.keys(options).filter((name) => options[name] !== undefined);
  if (given.length > 0) throw invalid(`${why}: leave out ${given.join(', ')}, or ask twice.`);
}
