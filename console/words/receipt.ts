import type { ReceiptAnswer } from '../api/contract.ts';
import { countText, figureText, hubName, spanText } from './format.ts';

type ReceiptHub = ReceiptAnswer['hubs'][number];

/** One hub of a receipt, as a row of the ranking. */
export interface RankedHub {
  readonly host: string;
  /** From 1; undefined: it could not receive the device. */
  readonly rank: number | undefined;
  readonly score: number | undefined;
  /** Of the greatest score, from 0 to 1. */
  readonly length: number;
  readonly isResult: boolean;
  readonly latency: string;
  readonly weight: string;
  /** Why it was excluded, and what else was known of it. */
  readonly note: string;
  readonly excluded: string | undefined;
}

/** The hubs in the order of the decision; those that could not receive the device come last. */
export function rankedHubs({ hubs, result }: ReceiptAnswer): readonly RankedHub[] {
  const most = Math.max(...hubs.map(({ score }) => score ?? 0), Number.MIN_VALUE);
  let rank = 0;
  return hubs.map((hub) => {
    if (hub.score !== undefined) rank += 1;
    return {
      host: hub.host,
      rank: hub.score === undefined ? undefined : rank,
      score: hub.score,
      length: (hub.score ?? 0) / most,
      isResult: result.kind === 'assigned' && result.host === hub.host,
      latency: hub.latencyMs === undefined ? 'no latency known' : `latency ${figureText(hub.latencyMs)} ms`,
      weight: figureText(hub.weight, 4),
      note: noteOn(hub),
      excluded: hub.excluded,
    };
  });
}

/** What `berth explain` writes behind a hub, without the reason for which it is excluded. */
function noteOn({ load, devices, failures, overrides, latencyFrom }: ReceiptHub): string {
  const set = (what: string, { author, reason }: { readonly author: string; readonly reason: string }) =>
    `set to ${what} by ${author}: ${reason}`;
  return [
    latencyFrom === undefined ? undefined : LATENCY_WORDS[latencyFrom],
    load && 'more devices than its share',
    devices === undefined ? undefined : `${countText(devices)} ${devices === 1 ? 'device' : 'devices'}`,
    failures ? `${failures} failed calls` : undefined,
    overrides?.state && set(overrides.state.value, overrides.state),
    overrides?.weight && set(`weight ${overrides.weight.value}`, overrides.weight),
  ]
    .filter(Boolean)
    .join('; ');
}

const LATENCY_WORDS = {
  measured: 'measured by the device',
  regions: 'between Azure regions',
  distance: 'estimated from the distance',
} as const;

/** The decision in one line, as `berth explain` begins. */
export function decisionText({ inputs, result }: ReceiptAnswer): string {
  return result.kind === 'assigned'
    ? `${inputs.registrationId} → ${result.hub} (${result.how}: ${result.why})`
    : `${inputs.registrationId} → refused: ${result.message} [${result.code}]`;
}

/** Why the device is there, for a person who knows nothing of Berth: two or three sentences. */
export function decisionSentences(receipt: ReceiptAnswer): readonly string[] {
  const { result, hubs } = receipt;
  const candidates = hubs.filter(({ score }) => score !== undefined);
  const excluded = hubs.length - candidates.length;
  if (result.kind === 'refused') {
    return [`Berth refused the registration: ${result.message}`, ...excludedText(excluded, hubs.length)];
  }
  const name = hubName(result.host);
  const [best] = candidates;
  const isBest = best?.host === result.host;
  const ranked =
    candidates.length === 0
      ? []
      : isBest
        ? [
            candidates.length === 1
              ? `${name} is the only hub that could receive it.`
              : `Of ${candidates.length} candidates, ${name} has the lowest score.`,
          ]
        : [`${hubName(best?.host ?? '')} has a lower score, and the device keeps its hub.`];
  return [
    `${HOW[result.how]} Reason: ${sentence(result.why)}`,
    ...ranked,
    ...excludedText(excluded, hubs.length),
  ];
}

/** Where a device stands of which Berth has no twin, by the newest decision about it. */
export function withoutTwinText(newest: Pick<ReceiptAnswer, 'result'> | undefined): string {
  if (newest === undefined) return 'Berth has no twin of it.';
  return newest.result.kind === 'refused'
    ? 'Berth refused its last registration. It has no hub.'
    : `Its hub is ${hubName(newest.result.host)}. The hub has not sent an event of its twin yet.`;
}

/**
 * Whether a rule took effect, and why. A rule that could not be decided takes effect by `whenUnknown`.
 * `matched and takes effect.`, `could not be decided, because the key country is missing. It takes effect all the same.`
 */
export function ruleText({ result, applied, why }: ReceiptAnswer['rules'][number]): string {
  if (result === 'matched') {
    const effect = applied ? 'takes effect' : 'does not take effect';
    return `matched and ${effect}${why === undefined ? '.' : `: ${why}.`}`;
  }
  const because = why === undefined ? '' : `, because ${why}`;
  return `could not be decided${because}. ${
    applied ? 'It takes effect all the same.' : 'It does not take effect.'
  }`;
}

const HOW = {
  placed: 'Berth chose a hub for the device.',
  stayed: 'The device stayed on its hub.',
  moved: 'Berth moved the device.',
  'never reprovisioned': 'The device keeps its hub.',
} as const;

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function excludedText(excluded: number, all: number): readonly string[] {
  return excluded === 0 ? [] : [`${excluded} of ${all} linked hubs could not receive it.`];
}

/** With what the decision was made, as `berth explain` says it. */
export function conditionsText({ conditions }: ReceiptAnswer): string {
  return conditions.ageMs === undefined
    ? 'Decided from the fleet file alone, without device counts, health or overrides.'
    : `Decided with device counts, health and overrides that were ${spanText(conditions.ageMs)} old.`;
}

/** Notes, layers and moves, as `berth explain` lists them after the tables. */
export function receiptNotes({
  notes,
  gradualMoves,
  twin,
  payloadOmitted,
}: ReceiptAnswer): readonly string[] {
  return [
    ...notes.map((note) => `Note: ${note}.`),
    ...gradualMoves.map(
      ({ cause, position, progress }) =>
        `Gradual move (${cause}): this device moves at a progress of ${partText(position)}. The progress is ${partText(progress)}.`,
    ),
    ...(twin.sent ? [] : [`No initial twin: ${twin.why}.`]),
    ...twin.layers
      .filter(({ applied }) => !applied)
      .map(({ name, why }) => `Layer ${name} was left out: ${why ?? 'it does not apply'}.`),
    ...[...twin.omitted, ...payloadOmitted].map((omitted) => `Left out: ${omitted}.`),
  ];
}

/** A part from 0 to 1, as `berth` writes it. */
function partText(part: number): string {
  const percent = part * 100;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}
