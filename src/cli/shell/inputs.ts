import type { EpochMs } from '../../time/epoch-ms.ts';
import { readReason, readTimeBack, readWholeNumber, type TimeBack } from './arguments.ts';

/** The context in which the text of a value is read. */
export interface InputReading {
  /** The name for messages, such as `--limit`. */
  readonly name: string;
  readonly now: EpochMs;
}

interface Described {
  /** For the help. */
  readonly description: string;
  /** True if the help does not show it. */
  readonly isHidden?: boolean;
  /** The possible values, for the completion of a shell. */
  readonly choices?: readonly string[] | undefined;
}

/** An option without a value, such as `--json`. */
export interface Toggle extends Described {
  readonly kind: 'toggle';
}

/** An option or argument that may be left out. */
export interface OptionalValue<Value> extends Described {
  readonly kind: 'optional';
  /** @throws BerthError `BERTH_ARGUMENT_INVALID` */
  readonly read: (text: string | undefined, reading: InputReading) => Value;
}

/** An option or argument that always has a value: the operator must give it, or it has a default. */
export interface RequiredValue<Value> extends Described {
  readonly kind: 'required';
  readonly defaultText?: string;
  /** @throws BerthError `BERTH_ARGUMENT_INVALID` */
  readonly read: (text: string, reading: InputReading) => Value;
}

/** An option that may be repeated, or an argument such as `[ids...]`. */
export interface ValueList extends Described {
  readonly kind: 'list';
}

/** One option or argument. */
export type Input = Toggle | OptionalValue<unknown> | RequiredValue<unknown> | ValueList;

/**
 * The options and arguments of a command, in the order of its help. Each key is the flag as the operator
 * writes it:
 *
 * ```ts
 * const INPUTS = {
 *   '[ids...]': list(),
 *   '--max-moves <n>': wholeNumber(0, 'fail if more devices would move'),
 *   '--json': toggle('output JSON'),
 * };
 * type Options = Given<typeof INPUTS>;
 * // { ids: readonly string[]; maxMoves: number | undefined; json: boolean }
 * ```
 */
export type Inputs = Readonly<Record<string, Input>>;

/** What a command is given: the values of its inputs, by their names in camel case. */
export type Given<Of extends Inputs> = {
  readonly [Flag in keyof Of as Camel<NameOf<Flag>>]: ValueOf<Of[Flag]>;
};

type NameOf<Flag> = Flag extends `--${infer Name} <${string}>`
  ? Name
  : Flag extends `--${infer Name}`
    ? Name
    : Flag extends `<${infer Name}>` | `[${infer Name}...]`
      ? Name
      : Flag extends `[${infer Name}]`
        ? Name
        : never;

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;

type ValueOf<One extends Input> = One extends Toggle
  ? boolean
  : One extends ValueList
    ? readonly string[]
    : One extends OptionalValue<infer Value> | RequiredValue<infer Value>
      ? Value
      : never;

/** Off unless it is given. */
export function toggle(description: string): Toggle {
  return { kind: 'toggle', description };
}

/** An input that works but is not in the help. */
export function hidden<One extends Input>(input: One): One {
  return { ...input, isHidden: true };
}

/** The same input with its possible values, for the completion of a shell. */
export function oneOf<One extends Input>(choices: readonly string[], input: One): One {
  return { ...input, choices };
}

/** A text; undefined if it is not given. */
export function text(description: string): OptionalValue<string | undefined> {
  return optional(description, (given) => given);
}

/** A text that must be given. */
export function requiredText(description = ''): RequiredValue<string> {
  return required(description, (given) => given);
}

/** A text with a default, which the help shows. */
export function textOr(defaultText: string, description: string): RequiredValue<string> {
  return { ...requiredText(description), defaultText };
}

/** All values, in the order in which they are given. */
export function list(description = ''): ValueList {
  return { kind: 'list', description };
}

/** A whole number, `least` or more; undefined if it is not given. */
export function wholeNumber(least: number, description: string): OptionalValue<number | undefined> {
  return optional(description, (given, { name }) => readWholeNumber(name, given, least));
}

/** A time, or a duration before now; undefined if it is not given. */
export function timeBack(description: string): OptionalValue<TimeBack | undefined> {
  return optional(description, (given, { name, now }) =>
    given === undefined ? undefined : readTimeBack(name, given, now),
  );
}

/** A time, or a duration before now, with a default that the help shows. */
export function timeBackOr(defaultText: string, description: string): OptionalValue<TimeBack> {
  return optional(`${description} (default: ${defaultText})`, (given = defaultText, { name, now }) =>
    readTimeBack(name, given, now),
  );
}

/** The reason of a change. Every command that changes shared state requires one. */
export function reason(description: string): RequiredValue<string> {
  return required(description, readReason);
}

/** A value of another kind. */
export function optional<Value>(
  description: string,
  read: OptionalValue<Value>['read'],
): OptionalValue<Value> {
  return { kind: 'optional', description, read };
}

/** A value of another kind that must be given. */
export function required<Value>(
  description: string,
  read: RequiredValue<Value>['read'],
): RequiredValue<Value> {
  return { kind: 'required', description, read };
}

/** The option for programs. */
export const JSON_OUTPUT = { '--json': toggle('output JSON') };

/** The input of commands about a fleet file. `chosenFleetFile` has the rule. */
export const FLEET_FILE = text('the fleet file (default: FLEET_FILE, else fleet.json)');

/** The input of commands about the running fleet. `deployedFleet` has the rule. */
export const DEPLOYED_FLEET = {
  '--fleet <file>': text('a fleet file to use in place of the one in force'),
};
