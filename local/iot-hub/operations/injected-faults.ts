import { setTimeout as wait } from 'node:timers/promises';
import type { LocalHub } from '../hub/hub.ts';
import { type Address, addressKey } from '../model/address.ts';
import { HubRefusal } from '../model/hub-error.ts';
import type { InjectedFault } from '../model/injected-fault.ts';

/** Lets a fault happen that a device has asked for, after its delay. */
export async function injectFault(hub: LocalHub, address: Address, fault: InjectedFault): Promise<void> {
  await wait(fault.delayMs, undefined, { signal: hub.closing, ref: false }).catch(() => {});
  if (hub.closing.aborted) return;
  if (fault.kind === 'end') hub.connections.link(address)?.fail(fault.target);
  else {
    hub.refused.set(addressKey(address), {
      refusal: fault.refusal,
      until: hub.now() + fault.durationMs,
    });
  }
}

/** @throws HubRefusal while the device gets the refusal that it has asked for. */
export function checkInjectedRefusal(hub: LocalHub, address: Address): void {
  const key = addressKey(address);
  const refused = hub.refused.get(key);
  if (refused === undefined) return;
  if (refused.until > hub.now()) {
    throw new HubRefusal(
      refused.refusal,
      'The device has asked for this error (AzIoTHub_FaultOperationType).',
    );
  }
  hub.refused.delete(key);
}
