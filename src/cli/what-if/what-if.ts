import { givenFlags, invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { INPUTS, type Question } from './what-if-inputs.ts';
import { type Threads, whatIfPlacement } from './what-if-placement.ts';
import { whatIfTwins } from './what-if-twins.ts';

/** `berth what-if`: what a fleet file would do to the placement of devices, or to twins. */
export function registerWhatIf(berth: CommandGroup, threads: Threads): void {
  berth.command({
    name: 'what-if',
    description:
      'say what another fleet file would do, before it is deployed: where devices would go, or what twins would be written',
    inputs: INPUTS,
    run: (cli, question) => whatIf(cli, question, threads),
  });
}

async function whatIf(cli: Cli, question: Question, threads: Threads): Promise<number> {
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
  return whatIfPlacement(cli, { ...question, devices }, threads);
}

/** @throws BerthError `BERTH_ARGUMENT_INVALID` where one of these options is given */
function refuse(why: string, options: Readonly<Record<string, unknown>>): void {
  const given = givenFlags(options);
  if (given.length > 0) throw invalid(`${why}: leave out ${given.join(', ')}, or ask twice.`);
}
