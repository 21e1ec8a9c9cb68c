import { HubError } from '../../hub/port.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';
import type { SyncContext } from './sync-context.ts';

/** The custom role of infra/ and its data action (Azure resource provider operations, Microsoft.Devices). */
const METHOD_ROLE = 'Berth Method Caller';
const METHOD_ACTION = 'Microsoft.Devices/IotHubs/directMethods/invoke/action';

/**
 * Calls the direct method of the move request, after its property was set. It is tried once: a device that is not connected,
 * does not answer, or gets no permit still has the property. A missing right is logged with the role.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE` if the messages of the day cannot be counted
 */
export async function callMoveMethod(
  { host, deviceId }: TwinId,
  method: string,
  { hubs, warn }: Pick<SyncContext, 'hubs' | 'warn'>,
): Promise<void> {
  try {
    const called = await hubs.invokeMethod({ host, deviceId }, method, { leaveHub: host });
    if (called.kind === 'noPermit' || called.answer.kind !== 'unauthorized') return;
    const { hubCode } = called.answer;
    const why = `BERTH_MOVE_UNAUTHORIZED: the hub refuses a direct method (${hubCode}): give the app the role "${METHOD_ROLE}", with the data action ${METHOD_ACTION}`;
    warn(why, { code: 'BERTH_MOVE_UNAUTHORIZED', hub: host, deviceId, hubCode });
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    if (error.code !== 'BERTH_HUB_THROTTLED') warn(error.message, { code: error.code, hub: host, deviceId });
  }
}
