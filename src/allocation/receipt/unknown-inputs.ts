import type { Fleet } from '../../fleet/fleet.ts';
import { isObject } from '../../json/json.ts';
import type { UnknownInputs } from '../request/request.ts';
import type { ReceiptInputs } from './receipt.ts';
import { inputPathText, isKeptByPath, type NotKept, pathOf } from './receipt-inputs.ts';

/** The most keys of an object that a receipt stores (`receipt-inputs.ts`): with as many, there may be more. */
const MAX_KEYS = 50;

/**
 * The inputs that a fleet file reads and that the inputs of a receipt do not tell, because the file of the receipt did not read
 * them. Undefined if there are none.
 */
export function unknownInputsOf(inputs: ReceiptInputs, fleet: Fleet): UnknownInputs | undefined {
  const kept = keptBy(inputs);
  const marked: (readonly string[])[] = [];
  const partly: (readonly string[])[] = [];
  for (const path of fleet.allocation.reads) {
    if (!isKeptByPath(path) || isKnown(path, kept, inputs)) continue;
    (hasKnownPart(path, kept) ? partly : marked).push(path);
  }
  const latencies = unknownLatencies(inputs, fleet);
  if (marked.length + partly.length + latencies.length === 0) return undefined;
  return { marked, partly, names: [...[...marked, ...partly].map(inputPathText), ...latencies] };
}

/** Whether something is known of the object at a path, so that a mark there would hide it. */
function hasKnownPart(path: readonly string[], { read, notKept, missing }: Kept): boolean {
  // An object that is in `read` only because a key of it was missing is itself not known.
  const known = [...read, ...notKept.filter(([below]) => below.length > path.length)].map(([below]) => below);
  return [...known, ...missing].some((below) => isBeginning(path, below));
}

interface Kept {
  readonly read: readonly (readonly [path: readonly string[], value: unknown])[];
  readonly notKept: readonly (readonly [path: readonly string[], instead: NotKept])[];
  readonly missing: readonly (readonly string[])[];
}

function keptBy({ read, notKept, missing = [] }: ReceiptInputs): Kept {
  return {
    read: Object.entries(read).map(([text, value]) => [pathOf(text), value] as const),
    notKept: Object.entries(notKept).map(([text, instead]) => [pathOf(text), instead] as const),
    missing: missing.map(pathOf),
  };
}

function isKnown(
  path: readonly string[],
  { read, notKept, missing }: Kept,
  { enrollment }: ReceiptInputs,
): boolean {
  const [variable, member] = path;
  if (variable === 'attestation' && member === 'kind') return true;
  if (variable === 'enrollment' && member === 'initialTwin' && enrollment.initialTwin !== 'filled')
    return true;
  if (missing.some((absent) => isBeginning(absent, path))) return true;
  const isPlaceholder = (known: readonly string[], value: unknown) =>
    isObject(value as never) &&
    Object.keys(value as object).length === 0 &&
    missing.some((absent) => isBeginning(known, absent));
  if (read.some(([known, value]) => isBeginning(known, path) && !isPlaceholder(known, value))) {
    return true;
  }
  return notKept.some(([known, instead]) => isBeginning(known, path) && tells(instead, path, known.length));
}

/** Whether what is stored instead of a value tells enough of the path. */
function tells(instead: NotKept, path: readonly string[], depth: number): boolean {
  switch (instead.why) {
    case 'redacted':
      return false;
    case 'too long':
      return path.length === depth || instead.of === 'text';
    case 'whole': {
      const { keys } = instead;
      const isComplete = keys.length > 0 && keys.length < MAX_KEYS;
      return path.length === depth || (isComplete && !keys.includes(path[depth] ?? ''));
    }
  }
}

/** Latency inputs that the file of the receipt did not use, by name. */
function unknownLatencies({ latency, linkedHubs }: ReceiptInputs, fleet: Fleet): readonly string[] {
  if (!fleet.allocation.readsLatency) return [];
  if (latency === undefined) return ['payload.latency', 'payload.region', 'payload.location'];
  const figures = latency.latency;
  if (!isObject(figures)) return [];
  const asked = linkedHubs.map((host) => host.toLowerCase());
  const known = fleet.hubs.filter(({ host }) => asked.includes(host)).map(({ region }) => region);
  return [
    ...new Set(
      fleet.hubs
        .filter(({ host, region }) => !known.includes(region) && !(host in figures) && !(region in figures))
        .map(({ region }) => inputPathText(['payload', 'latency', region])),
    ),
  ];
}

function isBeginning(beginning: readonly string[], path: readonly string[]): boolean {
  return beginning.length <= path.length && beginning.every((key, index) => path[index] === key);
}
