import type { ShownReceipt } from '../once/apis.ts';

/**
 * Why a device is on its hub, in one line: the latency, the next hub, and the rules that applied. For a new place, if another
 * hub is nearer, also the chance of the hub, because the device is there by its weight.
 *
 * `→ sea: 5 ms (next: weu 160 ms)`; `→ neu: 26 ms (chance 25 %; next: weu 12 ms), rule eu-residency`; a refusal shows the
 * reason of the rule.
 *
 * @param names short names of the hubs, by host name
 */
export function placementLine(
  { result, hubs, rules }: ShownReceipt,
  names: ReadonlyMap<string, string>,
): string {
  if (result.kind === 'refused') return `refused: ${result.message}`;
  const nameOf = (host: string) => names.get(host) ?? host;
  const candidates = hubs.filter(({ excluded }) => excluded === undefined);
  const own = hubs.find(({ host }) => host === result.host);
  const next = candidates.find(({ host }) => host !== result.host);
  const chance =
    result.how !== 'stayed' && isFarther(own, candidates) ? `chance ${chanceText(own, candidates)}; ` : '';
  const applied = rules.filter(({ applied }) => applied).map(({ name }) => name);
  return [
    `${ARROWS[result.how]} ${nameOf(result.host)}`,
    own?.latencyMs === undefined ? '' : `: ${own.latencyMs} ms`,
    next === undefined ? '' : ` (${chance}next: ${nameOf(next.host)}${latencyText(next)})`,
    applied.length === 0 ? '' : `, rule ${applied.join(', ')}`,
  ].join('');
}

type Line = ShownReceipt['hubs'][number];

const ARROWS: Readonly<Record<Extract<ShownReceipt['result'], { kind: 'assigned' }>['how'], string>> = {
  placed: '→',
  moved: 'moves →',
  stayed: 'stays on',
  'never reprovisioned': 'stays on',
};

function latencyText({ latencyMs }: Line): string {
  return latencyMs === undefined ? '' : ` ${latencyMs} ms`;
}

function isFarther(own: Line | undefined, candidates: readonly Line[]): own is Line & { weight: number } {
  const ms = own?.latencyMs;
  if (ms === undefined || own?.weight === undefined) return false;
  return candidates.some(({ latencyMs = Number.POSITIVE_INFINITY }) => latencyMs < ms);
}

/** A chance above 0 must not show as 0 %. */
function chanceText(own: { readonly weight: number }, candidates: readonly Line[]): string {
  const percent = (100 * own.weight) / candidates.reduce((sum, { weight = 0 }) => sum + weight, 0);
  return percent < 1 ? 'under 1 %' : `${Math.round(percent)} %`;
}
