import type { FaultTarget } from '../model/injected-fault.ts';
import type { HubTwinSection } from '../model/twin.ts';

/** The connection to a device or module, for the hub. */
export interface DeviceLink {
  /**
   * Notifies the device of a change of its desired properties, if it is subscribed. Returns whether the notification was
   * sent.
   */
  notifyDesired(patch: HubTwinSection): boolean;
  /** Sends a direct method, if the device is subscribed to methods. `payload` is JSON. Returns whether it was sent. */
  callMethod(call: { readonly requestId: string; readonly name: string; readonly payload: string }): boolean;
  /** Sends the cloud-to-device messages in the queue, if the device is subscribed to them. */
  deliver(): void;
  /** Ends a part of the connection, because the device has asked for this fault. A transport without this part ignores it. */
  fail(target: FaultTarget): void;
  close(): void;
}
