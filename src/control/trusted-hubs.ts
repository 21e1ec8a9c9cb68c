import type { HostName } from '../iot-hub/host-name.ts';
import type { Control } from './control.ts';
import { withoutEntry } from './entries.ts';

/** The control row with the events of a hub trusted again, after an operator asked for a resync. */
export function withEventsTrusted(control: Control, host: HostName): Control {
  return Object.hasOwn(control.untrusted, host)
    ? { ...control, untrusted: withoutEntry(control.untrusted, host) }
    : control;
}
