import { type Telemetry, telemetrySent } from '../hub/events.ts';
import { entryOf, type LocalHub } from '../hub/hub.ts';
import type { Address } from '../model/address.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { readInjectedFault } from '../model/injected-fault.ts';
import { sizeOfMessage } from '../model/message-size.ts';
import { checkInjectedRefusal, injectFault } from './injected-faults.ts';

/** Largest message with its properties, or batch of messages: 256 KB ("IoT Hub quotas and throttling"). */
export const MAX_TELEMETRY_BYTES = 256 * 1024;

/**
 * Takes the messages of one request of a device or module.
 *
 * @throws HubRefusal `RequestTooLarge`, `ThrottlingException`, `IotHubQuotaExceeded`, `DeviceNotFound`, `ModuleNotFound`
 */
export async function acceptTelemetry(
  hub: LocalHub,
  address: Address,
  messages: readonly Telemetry[],
): Promise<void> {
  const bytes = messages.reduce((sum, message) => sum + bytesOf(message), 0);
  if (bytes > MAX_TELEMETRY_BYTES) throw new HubRefusal('RequestTooLarge', 'A message was too large.');
  checkInjectedRefusal(hub, address);
  await hub.admit('sends', messages.length);
  for (const message of messages) {
    const sender = entryOf(hub, address);
    const fault = readInjectedFault(message.application);
    if (fault !== undefined) {
      void injectFault(hub, address, fault);
      continue;
    }
    const at = hub.tick();
    hub.connections.active(address, at);
    hub.emit(telemetrySent(hub.origin(address, at), sender, message));
    hub.counters.deviceTelemetry += 1;
    hub.spend(bytesOf(message));
  }
}

function bytesOf({ body, system, application }: Telemetry): number {
  return sizeOfMessage({ body, system: system.values(), application });
}
