import type { HostName } from '../iot-hub/host-name.ts';
import type { Control } from './control.ts';
import { withoutEntry } from './entries.ts';

/** The control row in which a hub's events are trusted: a person has everything of it read again. */
export function withEventsTrusted(control: Control, host: HostName): Control {
  return Object.hasOwn(control.untrusted, host)
    ? { ...control, untrusted: withoutEntry(control.untrusted, host) }
    : control;
}
