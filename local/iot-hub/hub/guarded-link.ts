import type { LocalLog } from '../../log.ts';
import type { DeviceLink } from './device-link.ts';

/**
 * A link for callers that have nothing to do with its device: services, timers and other devices. If it throws, the error is
 * logged, and only this connection ends.
 */
export function guardedLink(link: DeviceLink, log: LocalLog): DeviceLink {
  const failed = (error: unknown): void =>
    log.error(`The connection of a device failed: ${error instanceof Error ? error.message : String(error)}`);
  const close = (): void => {
    try {
      link.close();
    } catch (error) {
      failed(error);
    }
  };
  const guarded = <Result>(otherwise: Result, act: () => Result): Result => {
    try {
      return act();
    } catch (error) {
      failed(error);
      close();
      return otherwise;
    }
  };
  return {
    notifyDesired: (patch) => guarded(false, () => link.notifyDesired(patch)),
    callMethod: (call) => guarded(false, () => link.callMethod(call)),
    deliver: () => guarded(undefined, () => link.deliver()),
    fail: (target) => guarded(undefined, () => link.fail(target)),
    close,
  };
}
