import { type Redaction, redactTwin } from '../twin/events/redact.ts';
import type { HubPort } from './port.ts';

/** The hubs, with every twin that they answer redacted: what is not to be kept never gets further than this. */
export function redactHubs(hubs: HubPort, redaction: Redaction): HubPort {
  if (redaction.paths.length === 0) return hubs;
  return {
    ...forwarding(hubs),
    readTwin: async (id) => redactTwin(await hubs.readTwin(id), redaction),
    patchDesired: async (id, patch, etag) => redactTwin(await hubs.patchDesired(id, patch, etag), redaction),
  };
}

/** Calls whose answers hold no properties. */
function forwarding(hubs: HubPort): Omit<HubPort, 'readTwin' | 'patchDesired'> {
  return {
    identityStatus: (id) => hubs.identityStatus(id),
    countDevices: (host) => hubs.countDevices(host),
    listTwins: (host, of, continuation) => hubs.listTwins(host, of, continuation),
    readActivity: (host, question) => hubs.readActivity(host, question),
  };
}
