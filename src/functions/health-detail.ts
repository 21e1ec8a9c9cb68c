import type { HealthDetail } from '../api/contract.ts';
import { BerthError } from '../errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Instance } from '../instance/instance.ts';
import { NO_READER, readerStatus, readerText, unreadSince } from '../liveness/reader.ts';
import { isTimerLate, livenessOverview, livenessText, storedHub } from '../overview/hub-liveness.ts';
import type { StoredLiveness } from '../store/state/liveness-store.ts';
import { answeringErrors, type HttpHandler, isoTime, jsonAnswer } from './http-answer.ts';
import { describeLiveness } from './liveness-answer.ts';
import { describeNewerFormats } from './newer-formats-answer.ts';

/** Each dependency of the app, and whether the events of each hub arrive. Answers also when the state tables cannot be used: then it says so. */
export function healthDetail(instance: Instance): HttpHandler {
  return answeringErrors(async () => {
    const fleet = instance.fleet.known;
    const stored = await readStored(instance, fleet);
    const { liveness = NOTHING_STORED, newest = null, hubs = [], code = null } = stored;
    const now = instance.now();
    const status = readerStatus(liveness.reader, now);
    const waits = unreadSince(liveness.reader);
    const late = isTimerLate(liveness.ranAt, now);
    const problems = instance.fleet.problems.length;
    const newerFormats = describeNewerFormats(instance);
    const running = instance.build;
    const troubles = [
      ...(fleet === undefined ? ['There is no valid fleet file.'] : []),
      ...(problems > 0 ? [`The fleet file of this package has ${problems} problems.`] : []),
      ...(code === null ? [] : [`The state tables cannot be used (${code}).`]),
      ...stored.unreadable.map(
        ({ name, revision }) =>
          `The earlier content of ${name} cannot be read (fleet file ${revision}). Devices that its rollout has not reached stay as they are.`,
      ),
      ...newerFormats.map(({ document }) => `A newer package has stored a ${document}.`),
      ...(newest !== null && newest > running ? ['An older package answers than has run before.'] : []),
      ...(code === null && late
        ? [`resyncFleet has not run since ${isoTime(liveness.ranAt) ?? 'the start'}.`]
        : []),
      ...(code === null && status.kind !== 'reading' ? [`${readerText(status)}.`] : []),
      ...hubs
        .filter(({ overview }) => overview.state === 'silent' || (overview.state === 'late' && !late))
        .map(({ host, overview }) => `${host} is ${livenessText(overview)}.`),
    ];
    return jsonAnswer<HealthDetail>(troubles.length === 0 ? 200 : 503, {
      ok: troubles.length === 0,
      troubles,
      fleet: { revision: fleet?.revision ?? null, problems },
      build: { running, newest },
      newerFormats,
      store: { ok: code === null, code },
      timer: { lastRunAt: isoTime(liveness.ranAt), late },
      eventHub: {
        status: status.kind,
        since: status.kind === 'reading' ? null : isoTime(status.since),
        oldestUnreadSince: isoTime(waits),
        partitions: Object.keys(liveness.reader.partitions).length,
        why: readerText(status),
      },
      hubs: hubs.map(({ host, overview }) => ({ host, liveness: describeLiveness(overview) })),
    });
  });
}

const NOTHING_STORED: StoredLiveness = {
  ranAt: undefined,
  reader: NO_READER,
  hubs: new Map(),
  evidence: new Map(),
};

/** What the answer needs of the tables, or the code of the error if they cannot be used. */
async function readStored(instance: Instance, fleet: Fleet | undefined) {
  try {
    const { stores } = instance;
    if (fleet !== undefined) await instance.withPreviousContents(fleet);
    const unreadable = instance.unreadableContents;
    const [liveness, control] = await Promise.all([stores.liveness.read(), stores.control.read()]);
    const hubs = await Promise.all(
      (fleet === undefined ? [] : instance.hosts(fleet)).map(async (host) => {
        const stored = await storedHub(stores, host);
        const overview = livenessOverview(host, liveness, stored, instance.now());
        return { host, overview };
      }),
    );
    return { liveness, newest: control.newestBuild || null, hubs, unreadable };
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return { code: error.code, unreadable: [] };
  }
}
