import { type JsonObject, type JsonValue, objectOf } from '../../json/json.ts';
import type { ConditionTerms } from './condition-terms.ts';
import { type Facts, SILENT_DEVICE, withValue } from './facts.ts';

/** A text that rules do not contain. */
export const OTHER_TEXT = 'zz';

/** The most facts that are tried in each of three stages. */
const MAX_TRIED = 600;
const MAX_TEXT = 64;
/** The most texts of one condition that are combined. */
const MAX_JOINED = 6;

interface Dimension {
  readonly path: readonly string[];
  /** `undefined` stands for an absent value. */
  readonly values: readonly (JsonValue | undefined)[];
}

/** Facts in which each path has a value that it is compared with. Most conditions match some of them. */
export function directFacts(terms: ConditionTerms): Generator<Facts> {
  return combined(directDimensions(terms), MAX_TRIED);
}

function directDimensions(terms: ConditionTerms): readonly Dimension[] {
  return pathsOf(terms).map(({ path, beside, hasBelow }) => {
    if (hasBelow) return { path, values: [undefined, ...extraMembers(terms)] };
    const written = path[0] === 'registrationId' ? beside.map((text) => String(text).toLowerCase()) : beside;
    return { path, values: unique([...written, OTHER_TEXT, true, undefined]) };
  });
}

/**
 * Facts with every value that could matter: combined texts, lists, objects, and numbers near those in the
 * condition. First at one path at a time, then at all paths.
 */
export function* inventedFacts(terms: ConditionTerms): Generator<Facts> {
  const direct = directDimensions(terms);
  const invented = pathsOf(terms).map(({ path, hasBelow }) => ({
    path,
    values: hasBelow ? [undefined, ...extraMembers(terms)] : samplesFor(path, terms),
  }));
  for (const one of invented) {
    const dimensions = direct.map((each) => (each.path === one.path ? one : each));
    yield* combined(dimensions, Math.ceil(MAX_TRIED / direct.length));
  }
  yield* combined(invented, MAX_TRIED);
}

/** Shorter paths first, so that they do not replace values below them. */
function pathsOf({ paths }: ConditionTerms) {
  return [...paths]
    .sort((left, right) => left.path.length - right.path.length)
    .map((each) => ({
      ...each,
      hasBelow: paths.some(({ path }) => path.length > each.path.length && startsWith(path, each.path)),
    }));
}

/** All combinations. If there are too many, a fixed sample, which is the same on every machine. */
function* combined(dimensions: readonly Dimension[], most: number): Generator<Facts> {
  const factsAt = (choose: (size: number) => number) =>
    dimensions.reduce((facts, { path, values }) => {
      const value = values[choose(values.length)];
      return value === undefined ? facts : withValue(facts, path, value);
    }, SILENT_DEVICE);
  const combinations = dimensions.reduce((product, { values }) => product * values.length, 1);
  const isAll = combinations <= most;
  const next = createSequence();
  for (let number = 0; number < Math.min(combinations, most); number += 1) {
    let rest = number;
    yield factsAt((size) => {
      if (!isAll && number > 0) return next() % size;
      const chosen = rest % size;
      rest = Math.floor(rest / size);
      return chosen;
    });
  }
}

/** Objects with further members: a condition may count members, or search for one. */
function extraMembers({ scalars }: ConditionTerms): readonly JsonObject[] {
  const texts = scalars.filter((scalar) => typeof scalar === 'string').slice(0, MAX_JOINED);
  return texts.flatMap((key) => [OTHER_TEXT, ...texts].map((value) => ({ [key]: value })));
}

function samplesFor(path: readonly string[], terms: ConditionTerms): readonly (JsonValue | undefined)[] {
  const { scalars, collections, itemPaths } = terms;
  const texts = textsFrom(scalars);
  if (path[0] === 'registrationId') return ['device-1', ...texts.map((text) => text.toLowerCase())];
  const written = scalars.slice(0, 2 * MAX_JOINED);
  const items = itemPaths.flatMap((below) => written.map((value) => nest(below, value)));
  const lengths = unique([1, ...placesFrom(scalars).map((place) => place + 1)]);
  const lists = [...written, OTHER_TEXT, ...items].flatMap((item) =>
    lengths.map((length) => Array<JsonValue>(length).fill(item)),
  );
  const mayBeObject =
    path.length === 1 || items.length > 0 || collections.some((each) => !Array.isArray(each));
  return unique([
    ...texts,
    ...numbersFrom(scalars),
    true,
    false,
    ...collections,
    ...lists,
    ...(mayBeObject ? objectsFrom(terms) : []),
    [],
    undefined,
  ]);
}

function textsFrom(scalars: ConditionTerms['scalars']): readonly string[] {
  const written = scalars.map(String).filter((text) => text.length <= MAX_TEXT);
  const joined = written.length <= MAX_JOINED ? written : written.slice(0, MAX_JOINED);
  const lengths = scalars.filter((each) => typeof each === 'number' && each > 0 && each <= MAX_TEXT);
  // A condition may read a later part of a text: `substring(3)`, `split(',')[2]`.
  const before = ['x', ...written.filter((text) => SEPARATOR.test(text))];
  const further = placesFrom(scalars).flatMap((place) =>
    before.flatMap((each) => joined.map((text) => each.repeat(place) + text)),
  );
  return unique([
    ...written,
    OTHER_TEXT,
    ...written.flatMap((text) => [`${text}x`, `x${text}`, `x${text}x`]),
    ...joined.flatMap((left) => joined.map((right) => left + right)),
    ...lengths.map((length) => 'x'.repeat(Number(length))),
    ...further,
  ]);
}

const SEPARATOR = /^[^A-Za-z0-9]$/;
/** The largest index in a text or a list that is tried. */
const MAX_PLACE = 8;

/** Numbers that may be an index in a text or a list. */
function placesFrom(scalars: ConditionTerms['scalars']): readonly number[] {
  return scalars.filter((each) => typeof each === 'number' && each > 0 && each <= MAX_PLACE) as number[];
}

function numbersFrom(scalars: ConditionTerms['scalars']): readonly number[] {
  const written = scalars.filter((scalar) => typeof scalar === 'number');
  const read = scalars.map(Number).filter((number) => Number.isFinite(number));
  return unique([...[...written, ...read].flatMap((number) => [number, number + 1, number - 1]), 0, 1]);
}

/** Objects with a member that a condition may search for. */
function objectsFrom({ scalars, itemPaths }: ConditionTerms): readonly JsonObject[] {
  const keys = scalars.filter((scalar) => typeof scalar === 'string').slice(0, MAX_JOINED);
  const values = [...scalars.slice(0, MAX_JOINED), true, 1];
  return [
    ...keys.flatMap((key) => values.map((value) => ({ [key]: value }))),
    ...itemPaths.flatMap((path) => values.map((value) => nest(path, value) as JsonObject)),
  ];
}

function nest(path: readonly string[], value: JsonValue): JsonValue {
  return [...path].reverse().reduce<JsonValue>((inner, key) => objectOf([[key, inner]]), value);
}

function startsWith(path: readonly string[], beginning: readonly string[]): boolean {
  return beginning.every((key, index) => path[index] === key);
}

function unique<Value extends JsonValue | undefined>(values: readonly Value[]): readonly Value[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}

/** A fixed sequence of pseudo-random numbers (linear congruential generator of Numerical Recipes). */
function createSequence(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}
