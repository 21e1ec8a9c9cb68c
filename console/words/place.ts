import type { ReceiptAnswer } from '../api/contract.ts';
import { figureText, hubName } from './format.ts';

type ReceiptHub = ReceiptAnswer['hubs'][number];

/**
 * What made the difference between the hubs, for a person who does not know the scores: latencies, weights, and rules.
 * Empty for a refused registration.
 */
export function placeSentences({ result, hubs, rules }: ReceiptAnswer): readonly string[] {
  if (result.kind === 'refused') return [];
  const candidates = hubs.filter(({ score }) => score !== undefined);
  const own = hubs.find(({ host }) => host === result.host);
  const excludedByRule = hubs.filter(({ excluded }) => excluded === 'does not meet a require rule');
  return [
    ...(own === undefined ? [] : nearness(own, candidates)),
    ...(excludedByRule.length === 0
      ? []
      : [
          `${ruleNames(rules)} ${excludedByRule.length === hubs.length ? 'every hub' : namesOf(excludedByRule)}.`,
        ]),
  ];
}

function nearness(own: ReceiptHub, candidates: readonly ReceiptHub[]): readonly string[] {
  const others = candidates.filter(({ host }) => host !== own.host);
  const name = hubName(own.host);
  if (own.latencyMs === undefined)
    return others.length === 0
      ? []
      : ['No latency counts here: the weights and a hash of the device id decide.'];
  const [next] = others
    .flatMap(({ host, latencyMs }) => (latencyMs === undefined ? [] : [{ host, latencyMs }]))
    .sort((one, other) => one.latencyMs - other.latencyMs);
  const away = `${figureText(own.latencyMs)} ms`;
  if (next === undefined) return [`${name} is ${away} away.`];
  const nextText = `${hubName(next.host)} is ${figureText(next.latencyMs)} ms`;
  return own.latencyMs <= next.latencyMs
    ? [
        `${name} is the nearest of the candidates: ${away} away. The next one is ${hubName(next.host)} (${figureText(next.latencyMs)} ms).`,
      ]
    : [
        `${nextText} away, and ${name} is ${away} away. A nearer hub gets a device more often, but not always: the weights and a hash of the device id decide too.`,
      ];
}

/** `The rule eu-residency excludes`, `The rules a and b exclude`. */
function ruleNames(rules: ReceiptAnswer['rules']): string {
  const names = rules.filter(({ applied }) => applied).map(({ name }) => name);
  if (names.length === 0) return 'A rule excludes';
  return names.length === 1 ? `The rule ${names[0]} excludes` : `The rules ${listText(names)} exclude`;
}

function namesOf(hubs: readonly ReceiptHub[]): string {
  return listText(hubs.map(({ host }) => hubName(host)));
}

/** `a`, `a and b`, `a, b and c` */
export function listText(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}
