import { limitFunction } from 'p-limit';
import { HubError, MOST_ASKED_AT_ONCE } from '../../hub/port.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { WorkItemRow } from '../../store/twins/twin-store.ts';
import { plus } from '../../time/epoch-ms.ts';
import { instantOf, NEVER } from '../../time/instant.ts';
import { allEnded } from './all-ended.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';
import { sparing } from './sparing.ts';
import { dropStale, dueItems, processItem } from './work-queue.ts';

/**
 * Asks the hubs whether devices without an answer are alive, with one query for many devices. A device that is alive may have
 * missed the write, so Berth writes again. Any other device reads its whole twin when it connects.
 *
 * @returns how many devices were in the queries.
 */
export async function askActivity(
  hosts: readonly HostName[],
  context: ResyncContext,
  mayGoOn: MayGoOn,
): Promise<number> {
  const asked = await allEnded(hosts.map((host) => askHub(host, context, mayGoOn)));
  return asked.reduce((sum, count) => sum + count, 0);
}

async function askHub(host: HostName, context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const { gate, warn } = context;
  let asked = 0;
  // A row that is still due after its question waits for the next run.
  const done = new Set<string>();
  let rows: readonly WorkItemRow[] = [];
  try {
    for (;;) {
      rows = await dueItems(host, 'activity', context, ({ rowKey }) => !done.has(rowKey));
      const [question] = questionsOf(rows);
      if (question === undefined || !mayGoOn()) return asked;
      // While the hub is paused, the answer would not lead to a write.
      if ((await gate.current()).closedFor(host) !== undefined) return asked;
      if (!(await ask(host, question, context))) {
        await planWithout(rows, context);
        return asked;
      }
      for (const { rowKey } of question) done.add(rowKey);
      asked += question.length;
    }
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    warn(`${host} was not asked for the activity of its devices: ${error.message}`, {
      code: error.code,
      hub: host,
    });
    await planWithout(rows, context);
    return asked;
  }
}

/** After this time, a plan may decide without the answer of the hub (`life-after-write.ts`, `move-request.ts`). */
const WITHOUT_ANSWER_MS = 60 * 60_000;

/**
 * Plans twins whose questions have waited for so long that they may be decided without an answer: nothing else would plan them, because a
 * device without life causes no event.
 */
async function planWithout(rows: readonly WorkItemRow[], context: ResyncContext): Promise<void> {
  const before = plus(context.hubNow(), -WITHOUT_ANSWER_MS);
  const plan = limitFunction(
    (row: WorkItemRow) => sparing(row.id, context, () => processItem(row, context)),
    { concurrency: MOST_ASKED_AT_ONCE },
  );
  await allEnded(rows.filter(({ at }) => at <= before).map((row) => plan(row)));
}

/** Groups rows for one query each: devices, or modules with one name. */
function questionsOf(rows: readonly WorkItemRow[]): readonly (readonly WorkItemRow[])[] {
  const questions = new Map<string | undefined, WorkItemRow[]>();
  for (const row of rows) {
    const question = questions.get(row.id.moduleId) ?? [];
    if (question.length < MOST_ASKED_AT_ONCE) question.push(row);
    questions.set(row.id.moduleId, question);
  }
  return [...questions.values()];
}

/** Returns false if there is no permit for the query now. */
async function ask(host: HostName, rows: readonly WorkItemRow[], context: ResyncContext): Promise<boolean> {
  const { hubs, reconciler, hubNow } = context;
  const deviceIds = rows.map(({ id }) => id.deviceId);
  const page = await hubs.readActivity(host, { deviceIds, moduleId: rows[0]?.id.moduleId });
  if (page.kind === 'noPermit') return false;
  const { readAt, devices } = page.answer;
  const askedAt = hubNow();
  await allEnded(
    rows.map((row) =>
      sparing(row.id, context, async () => {
        const found = devices.get(row.id.deviceId);
        const event = {
          kind: 'activity',
          id: row.id,
          time: readAt ?? instantOf(askedAt),
          askedAt,
          isConnected: found?.isConnected ?? false,
          lastActivityAt: found?.lastActivityAt ?? NEVER,
        } as const;
        const { known } = await reconciler.reconcile(row.id, [event]);
        await dropStale(row, known, context);
      }),
    ),
  );
  return true;
}
