import type { Control, Pause, Scope } from '../../control/control.ts';
import { hostName } from '../../iot-hub/host-name.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { printable } from '../shell/printable.ts';
import { moment, span } from '../shell/terminal.ts';
import { scopeText } from './pause-scope.ts';

/** `since 2026-11-25T09:00Z (3 h), by ann@contoso.com: freeze` */
export function pauseText({ at, author, reason }: Pause, now: EpochMs): string {
  return `since ${moment(at)} (${span(now - at)}), by ${printable(author)}: ${printable(reason)}`;
}

/** One sentence for each pause of these kinds. */
export function pauseLines(
  { fleet, hubs, policies }: Control,
  kinds: readonly Scope['kind'][],
  now: EpochMs,
): readonly string[] {
  const paused: readonly (readonly [Scope, Pause])[] = [
    ...(fleet === undefined ? [] : [[{ kind: 'fleet' }, fleet] as const]),
    ...Object.entries(hubs).map(([host, pause]) => [{ kind: 'hub', host: hostName(host) }, pause] as const),
    ...Object.entries(policies).map(([name, pause]) => [{ kind: 'policy', name }, pause] as const),
  ];
  return paused
    .filter(([{ kind }]) => kinds.includes(kind))
    .map(([scope, pause]) => `${scopeText(scope)} is paused ${pauseText(pause, now)}.`);
}

/** One sentence for each hub whose events are not trusted. */
export function untrustedLines({ untrusted }: Control, now: EpochMs): readonly string[] {
  return Object.entries(untrusted).map(
    ([host, { since, why }]) =>
      `Events of ${host} are not trusted since ${moment(since)} (${span(now - since)}): ${printable(why)}. Berth reads each twin before it decides.`,
  );
}
