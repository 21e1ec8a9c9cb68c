import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { type DecideInput, decide } from '../../src/allocation/decision/decide.ts';
import { type Receipt, receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { inputOf, recompute } from '../../src/allocation/receipt/recompute.ts';
import { parseAllocationRequest } from '../../src/allocation/request/request.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import { EPOCH, epochMs } from '../../src/time/epoch-ms.ts';
import { fleetOf, requestOf } from './requests.ts';

/**
 * Golden receipts: a fleet, a request and the conditions, with the expected receipt. After an intended change, run
 * `UPDATE_GOLDEN=1 npx jest test/allocation/receipt` to write them again, and read the difference.
 */
interface Golden {
  readonly about: string;
  readonly at: string;
  readonly fleet: unknown;
  readonly request: unknown;
  /** As in a receipt; `null`: never loaded. Ages of causes named `faster` are of the fleet's own cause. */
  readonly conditions: Receipt['conditions'] | null;
  /** What is known of hubs at run time, as in a receipt. */
  readonly hubs: Readonly<Record<string, object>>;
  readonly receipt?: Receipt;
}

const FOLDER = 'test/allocation/receipts';
/** What is too long or secret is not in a receipt: there is a stand-in for it, and it is said. */
const NOT_KEPT: Readonly<Record<string, readonly string[]>> = {
  'twin-under-reset.json': ['payload.psk', 'payload.notes', 'payload.long', 'enrollment.initialTwin'],
};
const golden = readdirSync(FOLDER).map(
  (file) => [file, JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Golden] as const,
);

function fleetIn({ fleet }: Golden): Fleet {
  const parsed = parseFleet(JSON.stringify(fleet));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
}

function receiptIn(file: Golden): Receipt {
  const fleet = fleetIn(file);
  const { faster, ...causes } = file.conditions?.causes ?? {};
  const own = fleet.allocation.fasterCause;
  const conditions = {
    ...file.conditions,
    causes: own === undefined || faster === undefined ? causes : { ...causes, [own]: faster },
  };
  const request = parseAllocationRequest(file.request);
  const now = epochMs(Date.parse(file.at));
  const undecided = receipt({ request, fleet, conditions: NO_CONDITIONS, now });
  const hubs = undecided.hubs.map((line) => ({ ...line, ...file.hubs[line.host] }));
  return receipt({ ...inputOf({ ...undecided, conditions, hubs }, fleet), request });
}

/** As it is stored. */
function receipt(input: DecideInput): Receipt {
  return JSON.parse(JSON.stringify(receiptOf(input, decide(input)))) as Receipt;
}

describe('the stored receipt', () => {
  test.each(golden)('%s has not changed', (name, file) => {
    const made = receiptIn(file);
    if (process.env.UPDATE_GOLDEN !== undefined) {
      writeFileSync(join(FOLDER, name), `${JSON.stringify({ ...file, receipt: made }, null, 2)}\n`);
      return;
    }

    expect(made).toEqual(file.receipt);
  });

  test.each(golden)('%s recomputes to the same decision', (name, file) => {
    const { differences, notKept } = recompute(receiptIn(file), fleetIn(file));

    expect(notKept).toEqual(NOT_KEPT[name] ?? []);
    expect(differences).toEqual([]);
  });

  test.each(golden)('%s holds no key, no twin value and no unused input', (_, file) => {
    expect(JSON.stringify(receiptIn(file))).not.toMatch(
      /cHJpbWFyeQ|c2VjcmV0|hunter2|from the enrollment|"interval":5|nnnn|xxxx/,
    );
  });
});

test('a receipt shows the decision that another fleet file would have made', () => {
  const made = receipt({ request: requestOf(), fleet: fleetOf(), conditions: NO_CONDITIONS, now: EPOCH });
  const other = fleetOf({ allocation: { rules: [{ name: 'none', deny: 'nobody' }] } });

  const again = recompute(made, other);

  expect(again.receipt.result).toMatchObject({ code: 'BERTH_REGISTRATION_DENIED' });
  expect(again.differences).toEqual(expect.arrayContaining(['revision', 'result.kind', 'rules']));
});
