import type { HostName } from '../iot-hub/host-name.ts';
import type { HubPauses } from './hub-pauses.ts';
import { HubError, type HubPort } from './port.ts';

/** What a hub was asked for, for the counters. */
export type HubCall = 'reads' | 'writes' | 'queries' | 'failed';

export interface WatchOptions {
  readonly pauses: HubPauses;
  readonly count: (host: HostName, call: HubCall) => void;
  readonly now: () => number;
}

/** The hubs, with every call counted and every failure considered for a pause of the hub. */
export function watchHubs(hubs: HubPort, { pauses, count, now }: WatchOptions): HubPort {
  const watch = async <Result>(
    host: HostName,
    call: Exclude<HubCall, 'failed'> | undefined,
    ask: () => Promise<Result>,
  ): Promise<Result> => {
    if (call !== undefined) count(host, call);
    try {
      const result = await ask();
      pauses.succeeded(host, now());
      return result;
    } catch (error) {
      if (error instanceof HubError) {
        count(host, 'failed');
        pauses.failed(host, error, now());
      }
      throw error;
    }
  };
  return {
    readTwin: (id) => watch(id.host, 'reads', () => hubs.readTwin(id)),
    patchDesired: (id, patch, etag) => watch(id.host, 'writes', () => hubs.patchDesired(id, patch, etag)),
    identityStatus: (id) => watch(id.host, undefined, () => hubs.identityStatus(id)),
    countDevices: (host) => watch(host, undefined, () => hubs.countDevices(host)),
    listTwins: (host, of, continuation) =>
      watch(host, 'queries', () => hubs.listTwins(host, of, continuation)),
    readActivity: (host, question) => watch(host, 'queries', () => hubs.readActivity(host, question)),
  };
}
