import { app } from '@azure/functions';
import { BerthError } from '../errors.ts';
import type { Hub } from '../fleet/fleet.ts';
import type { Instance } from '../instance/instance.ts';
import { valueAt } from '../twin/merge.ts';
import { plan } from '../twin/plan.ts';
import { historyOf, type Shadow } from '../twin/shadow.ts';
import { answeringErrors, type HttpHandler, jsonAnswer } from './http-answer.ts';

/** One device: where it is and why, how its twin stands and why, and the last decisions about it. */
export function registerDevice(instance: Instance): void {
  app.http('device', {
    methods: ['GET'],
    authLevel: 'function',
    route: 'devices/{deviceId}',
    handler: device(instance),
  });
}

export function device(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const deviceId = request.params.deviceId ?? '';
    const fleet = instance.fleet.current();
    const { stores } = instance;
    const control = await stores.control.read();
    const look = async (hub: Hub) => {
      const id = { host: hub.host, deviceId, moduleId: undefined };
      const records = await Promise.all(
        [id, ...(await stores.twins.modulesOf(id))].map((twin) => stores.twins.load(twin)),
      );
      return records.flatMap(({ known }) => (known.kind === 'shadow' ? [{ hub, shadow: known.shadow }] : []));
    };
    const [shadows, receipts] = await Promise.all([
      Promise.all(fleet.hubs.map(look)),
      // Only an individual enrollment can give a device another id than it registers with.
      stores.receipts.list(request.query.get('registrationId') ?? deviceId),
    ]);
    const found = shadows.flat();
    if (found.length === 0 && receipts.length === 0) {
      throw new BerthError(
        'BERTH_DEVICE_UNKNOWN',
        `No twin and no registration of ${JSON.stringify(deviceId)} is known.`,
      );
    }
    const describe = ({ hub, shadow }: (typeof found)[number]) => {
      const planned = plan({
        shadow,
        hub,
        twins: fleet.twins,
        pausedPolicies: new Set(Object.keys(control.policies)),
        now: instance.now(),
      });
      return {
        hub: hub.host,
        moduleId: shadow.id.moduleId ?? null,
        state: shadow.judgement.state,
        since: new Date(shadow.judgement.since).toISOString(),
        why: shadow.judgement.why,
        version: shadow.version,
        asOf: shadow.asOf,
        due: shadow.due === undefined ? null : { ...shadow.due, at: new Date(shadow.due.at).toISOString() },
        paths: planned.leaves.map((leaf) => ({ ...leaf, ...pathFacts(shadow, leaf.path.split('.')) })),
      };
    };
    return jsonAnswer(200, { deviceId, twins: found.map(describe), receipts });
  });
}

function pathFacts(shadow: Shadow, path: readonly string[]) {
  const { ours, reportedAt, writes, foreign, rejected } = historyOf(shadow, path);
  return {
    desired: valueAt(shadow.desired, path) ?? null,
    reported: valueAt(shadow.reported, path) ?? null,
    ourVersion: ours,
    reportedAt: reportedAt ?? null,
    writes: writes.map(({ value, at, count }) => ({ value, at, count })),
    foreignChanges: foreign.slice(0, 10),
    rejected: rejected?.why ?? null,
  };
}
