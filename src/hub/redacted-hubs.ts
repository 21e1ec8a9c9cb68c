import { type Redaction, redactTwin } from '../twin/events/redact.ts';
import type { BudgetedHubPort } from './budgeted-hubs.ts';

/** The hubs, with every twin in their answers redacted. Redacted values get no further than this. */
export function redactHubs(hubs: BudgetedHubPort, redaction: Redaction): BudgetedHubPort {
  if (redaction.paths.length === 0 && redaction.hidesRuntime !== true) return hubs;
  return {
    ...forwarding(hubs),
    readTwin: async (id) => {
      const read = await hubs.readTwin(id);
      return read.kind === 'noPermit'
        ? read
        : { ...read, answer: redactTwin(read.answer, redaction, id.moduleId) };
    },
    patchDesired: async (permit, patch, etag) =>
      redactTwin(await hubs.patchDesired(permit, patch, etag), redaction, permit.id.moduleId),
  };
}

/** The calls whose answers contain no properties. */
function forwarding(hubs: BudgetedHubPort): Omit<BudgetedHubPort, 'readTwin' | 'patchDesired'> {
  return {
    permitWrite: (id) => hubs.permitWrite(id),
    permitApply: (id, identityOperations) => hubs.permitApply(id, identityOperations),
    applyManifest: (permit, content) => hubs.applyManifest(permit, content),
    identityStatus: (id) => hubs.identityStatus(id),
    readScopes: (id) => hubs.readScopes(id),
    permitParent: (id) => hubs.permitParent(id),
    enterParent: (permit, scope) => hubs.enterParent(permit, scope),
    invokeMethod: (id, name, payload) => hubs.invokeMethod(id, name, payload),
    countDevices: (host) => hubs.countDevices(host),
    listTwins: (host, of, continuation) => hubs.listTwins(host, of, continuation),
    readActivity: (host, question) => hubs.readActivity(host, question),
    beat: (host, at) => hubs.beat(host, at),
  };
}
