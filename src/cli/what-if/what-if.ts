import { givenFlags, invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { chosenFleetFile } from '../shell/files.ts';
import type { Threads } from './threads.ts';
import { INPUTS, type Question } from './what-if-inputs.ts';
import { whatIfPlacement } from './what-if-placement.ts';
import { whatIfTwins } from './what-if-twins.ts';

/** `berth what-if`: estimates what a fleet file would do to the placement of devices, or to twins. */
export function registerWhatIf(berth: CommandGroup, threads: Threads): void {
  berth.command({
    name: 'what-if',
    description:
      'estimate what a fleet file would do before you deploy it: which devices would move, or which twins it would write',
    inputs: INPUTS,
    example:
      'berth what-if --fleet new-fleet.json --devices 100000\nberth what-if --fleet new-fleet.json --twins --max-writes 5000',
    changes: false,
    run: (cli, question) => whatIf(cli, question, threads),
  });
}

async function whatIf(cli: Cli, question: Question, threads: Threads): Promise<number> {
  const { devices, payload, maxMoves, maxWrites, first } = question;
  const fleet = chosenFleetFile(question.fleet, cli.env);
  if (question.twins) {
    refuse('only without --twins', {
      '--devices': devices,
      '--payload': payload[0],
      '--max-moves': maxMoves,
    });
    return whatIfTwins(cli, { ...question, fleet }, threads);
  }
  refuse('only with --twins', {
    '--max-writes': maxWrites,
    '--first': first,
  });
  if (devices === undefined) {
    throw invalid('Give --devices (which devices would move) or --twins (which twins would be written).');
  }
  return whatIfPlacement(cli, { ...question, fleet, devices }, threads);
}

/** @throws BerthError `BERTH_ARGUMENT_INVALID` if one of these options is given */
function refuse(when: string, options: Readonly<Record<string, unknown>>): void {
  const given = givenFlags(options);
  if (given.length > 0)
    throw invalid(`Use ${given.join(', ')} ${when}: run the command once for devices and once for twins.`);
}
