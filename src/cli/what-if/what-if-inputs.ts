import {
  FLEET_FILE,
  type Given,
  JSON_OUTPUT,
  list,
  text,
  textOr,
  toggle,
  wholeNumber,
} from '../shell/inputs.ts';

/** Patches that are shown for each policy. */
export const DEFAULT_FIRST = 5;

/** All options of `berth what-if`, of which some are about placement and some about twins. */
export const INPUTS = {
  '--fleet <file>': textOr(FLEET_FILE, 'the fleet file to try'),
  '--against <file>': text('the one to compare with (default: how devices and twins are now)'),
  '--devices <file|n>': text('placement of a file of "berth export", or of a number of synthetic devices'),
  '--payload <json>': list('with --devices: what synthetic devices send; several take turns'),
  '--max-moves <n>': wholeNumber(0, 'with --devices: fail where more devices would move'),
  '--twins': toggle('the twins that the state tables know'),
  '--max-writes <n>': wholeNumber(0, 'with --twins: fail where more twins would be written'),
  '--first <n>': wholeNumber(
    0,
    `with --twins: patches that are shown for each policy (default: ${DEFAULT_FIRST})`,
  ),
  ...JSON_OUTPUT,
};

export type Question = Given<typeof INPUTS>;

type About = Pick<Question, 'fleet' | 'against' | 'json'>;

/** Where devices would go. */
export interface PlacementQuestion extends About, Pick<Question, 'payload' | 'maxMoves'> {
  /** A file of `berth export`, or a number of synthetic devices. */
  readonly devices: string;
}

/** What would be written to twins. */
export type TwinsQuestion = About & Pick<Question, 'maxWrites' | 'first'>;
