import type { HostName } from '../iot-hub/host-name.ts';
import { ownEntry } from '../json/json.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Control, Drain } from './control.ts';

/** The drain of a hub, as far as the control row knows. Undefined: the hub has not drained. */
export function drainOf(control: Control, host: HostName): Drain | undefined {
  return ownEntry(control.drains, host);
}

/**
 * The control row with the present drains. A drain that began or ended starts a resync, because no twin has changed.
 *
 * @param present when each drain began, by hub
 * @param known the hubs of the fleet file
 */
export function withDrains(
  control: Control,
  present: ReadonlyMap<HostName, EpochMs>,
  known: readonly HostName[],
  now: EpochMs,
): Control {
  const changed = known.filter((host) => present.get(host) !== drainOf(control, host)?.since);
  const kept = Object.entries(control.drains).filter(([host]) => known.some((each) => each === host));
  if (changed.length === 0 && kept.length === Object.keys(control.drains).length) return control;
  const news = changed.map((host) => [host, drainSince(present.get(host), now)] as const);
  const drains = Object.fromEntries([...kept, ...news]);
  return changed.length === 0
    ? { ...control, drains }
    : { ...control, drains, generation: control.generation + 1, changedAt: now };
}

function drainSince(since: EpochMs | undefined, changedAt: EpochMs): Drain {
  return since === undefined ? { changedAt } : { since, changedAt };
}
