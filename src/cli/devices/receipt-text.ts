import type { Override } from '../../allocation/conditions.ts';
import type { Receipt, ReceiptHub } from '../../allocation/receipt/receipt.ts';
import { printable } from '../shell/printable.ts';
import { count, percent, plural, right, say, sayTable, span, type Terminal } from '../shell/terminal.ts';

/** Writes a receipt as text. */
export function sayReceipt(terminal: Terminal, receipt: Receipt): void {
  const { result, inputs, conditions } = receipt;
  const { registrationId, currentHub, parent } = inputs;
  say(
    terminal,
    result.kind === 'assigned'
      ? `${registrationId} → ${result.hub} (${result.how}: ${result.why})`
      : `${registrationId} → refused: ${result.message} [${result.code}]`,
  );
  if (currentHub !== undefined) say(terminal, `Current hub: ${currentHub}.`);
  if (parent !== undefined) {
    const where = parent.hub === undefined ? `its hub is not known: ${parent.why}` : `on ${parent.hub}`;
    say(terminal, `Parent: ${printable(parent.deviceId)}, ${where}.`);
  }
  say(terminal, conditionsText(conditions));
  say(terminal);
  sayTable(
    terminal,
    ['hub', right('latency'), 'from', right('weight'), right('score'), 'note'],
    receipt.hubs.map((hub) => [
      hub.host,
      hub.latencyMs === undefined ? '-' : `${hub.latencyMs} ms`,
      hub.latencyFrom ?? '',
      hub.weight === undefined ? '-' : figure(hub.weight),
      hub.score === undefined ? '-' : figure(hub.score),
      noteOn(hub),
    ]),
  );
  sayRules(terminal, receipt);
  sayTwin(terminal, receipt);
  for (const note of receipt.notes) say(terminal, `Note: ${note}.`);
  for (const { cause, position, progress } of receipt.gradualMoves) {
    say(
      terminal,
      `Gradual move (${cause}): this device moves at a progress of ${percent(position)}. The progress is ${percent(progress)}.`,
    );
  }
}

function conditionsText({ ageMs }: Receipt['conditions']): string {
  return ageMs === undefined
    ? 'Decided from the fleet file alone, without device counts, health or overrides.'
    : `Decided with device counts, health and overrides that were ${span(ageMs)} old.`;
}

function noteOn({ excluded, load, devices, failures, overrides }: ReceiptHub): string {
  const set = (what: string, { author, reason }: Override<unknown>) =>
    `set to ${what} by ${author}: ${reason}`;
  return [
    excluded,
    load && 'more devices than its share',
    devices === undefined ? undefined : plural(devices, 'device'),
    failures ? `${failures} failed calls` : undefined,
    overrides?.state && set(overrides.state.value, overrides.state),
    overrides?.weight && set(`weight ${overrides.weight.value}`, overrides.weight),
  ]
    .filter(Boolean)
    .join('; ');
}

function sayRules(terminal: Terminal, { rules }: Receipt): void {
  if (rules.length === 0) return;
  say(terminal);
  sayTable(
    terminal,
    ['rule', 'is', 'applied', 'reason'],
    rules.map(({ name, result, applied, why }) => [name, result, applied ? 'yes' : 'no', why ?? '']),
  );
}

function sayTwin(terminal: Terminal, { twin, payloadOmitted }: Receipt): void {
  say(terminal);
  say(terminal, twin.sent ? 'Initial twin, by the layer that set it:' : `No initial twin: ${twin.why}.`);
  if (twin.sent) {
    sayTable(terminal, ['path', 'layer'], Object.entries(twin.provenance));
    if (twin.morePaths !== undefined) say(terminal, `and ${count(twin.morePaths)} more`);
  }
  for (const { name, why } of twin.layers.filter(({ applied }) => !applied)) {
    say(terminal, `Layer ${name} was left out: ${why}.`);
  }
  for (const omitted of [...twin.omitted, ...payloadOmitted]) say(terminal, `Left out: ${omitted}.`);
}

/** Four significant digits. */
function figure(number: number): string {
  return String(Number(number.toPrecision(4)));
}
