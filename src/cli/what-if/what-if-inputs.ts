import { FLEET_FILE, type Given, JSON_OUTPUT, list, text, toggle, wholeNumber } from '../shell/inputs.ts';

/** The default number of patches that are shown for each policy. */
export const DEFAULT_FIRST = 5;

/** All options of `berth what-if`: some are for placement, some for twins. */
export const INPUTS = {
  '--fleet <file>': FLEET_FILE,
  '--against <file>': text('the fleet file to compare with (default: the present hubs and twins)'),
  '--devices <file|n>': text(
    'estimate the hubs of devices: a file of "berth export", or a number of synthetic devices',
  ),
  '--payload <json>': list(
    'with --devices: the payload of synthetic devices; give several to use them in rotation',
  ),
  '--max-moves <n>': wholeNumber(0, 'with --devices: fail if more devices would move'),
  '--twins': toggle('estimate the writes to the twins in the state tables'),
  '--max-writes <n>': wholeNumber(0, 'with --twins: fail if more twins would be written'),
  '--first <n>': wholeNumber(
    0,
    `with --twins: how many patches to show for each policy (default: ${DEFAULT_FIRST})`,
  ),
  ...JSON_OUTPUT,
};

export type Question = Given<typeof INPUTS>;

interface About extends Pick<Question, 'against' | 'json'> {
  /** The fleet file to try. */
  readonly fleet: string;
}

/** The options for placement. */
export interface PlacementQuestion extends About, Pick<Question, 'payload' | 'maxMoves'> {
  /** A file of `berth export`, or a number of synthetic devices. */
  readonly devices: string;
}

/** The options for twins. */
export interface TwinsQuestion extends About, Pick<Question, 'maxWrites' | 'first'> {}
