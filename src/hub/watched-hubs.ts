import type { HostName } from '../iot-hub/host-name.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Instant } from '../time/instant.ts';
import type { HubClock } from './hub-clock.ts';
import type { HubPauses } from './hub-pauses.ts';
import { HubError, type HubPort } from './port.ts';

/** The kinds of calls that are counted. */
export type HubCall = 'reads' | 'writes' | 'queries' | 'failed';

export interface WatchOptions {
  readonly pauses: HubPauses;
  readonly count: (host: HostName, call: HubCall) => void;
  readonly now: () => EpochMs;
  /** Gets the times in the hubs' answers. */
  readonly clock?: Pick<HubClock, 'observe'>;
}

/** The hubs, with every call counted. Failures may pause a hub, and the times in the answers set the clock. */
export function watchHubs(hubs: HubPort, { pauses, count, now, clock }: WatchOptions): HubPort {
  const watch = async <Result>(
    host: HostName,
    call: Exclude<HubCall, 'failed'> | undefined,
    ask: () => Promise<Result>,
  ): Promise<Result> => {
    if (call !== undefined) count(host, call);
    try {
      const result = await ask();
      pauses.succeeded(host, now());
      clock?.observe(readAtOf(result));
      return result;
    } catch (error) {
      if (error instanceof HubError) {
        count(host, 'failed');
        pauses.failed(host, error, now());
        clock?.observe(error.answeredAt);
      }
      throw error;
    }
  };
  return {
    readTwin: (id) => watch(id.host, 'reads', () => hubs.readTwin(id)),
    patchDesired: (id, patch, etag) => watch(id.host, 'writes', () => hubs.patchDesired(id, patch, etag)),
    applyManifest: (id, content) => watch(id.host, 'writes', () => hubs.applyManifest(id, content)),
    identityStatus: (id) => watch(id.host, undefined, () => hubs.identityStatus(id)),
    readScopes: (id) => watch(id.host, undefined, () => hubs.readScopes(id)),
    enterParent: (id, scope) => watch(id.host, 'writes', () => hubs.enterParent(id, scope)),
    invokeMethod: (id, name, payload) =>
      watch(id.host, undefined, () => hubs.invokeMethod(id, name, payload)),
    countDevices: (host) => watch(host, undefined, () => hubs.countDevices(host)),
    listTwins: (host, of, continuation) =>
      watch(host, 'queries', () => hubs.listTwins(host, of, continuation)),
    readActivity: (host, question) => watch(host, 'queries', () => hubs.readActivity(host, question)),
    // Not among the writes, which are corrections.
    beat: (host, at) => watch(host, undefined, () => hubs.beat(host, at)),
  };
}

/** The hub's time of an answer. Undefined: it has none. */
function readAtOf(result: unknown): Instant | undefined {
  if (typeof result !== 'object' || result === null) return undefined;
  return (result as { readonly readAt?: Instant }).readAt;
}
