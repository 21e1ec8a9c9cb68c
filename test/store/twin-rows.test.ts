import { expect, test } from '@jest/globals';
import { attentionRow, workItemRow } from '../../src/store/twins/twin-rows.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import { ID, snapshotOf } from '../twin/twins.ts';

test('a reason that ends in half of a surrogate pair is stored with a replacement character', () => {
  const why = `interval the device answered 400: ${'x'.repeat(99)}\ud83d`;
  const { lastReconcile } = snapshotOf();
  const snapshot = snapshotOf({
    lastReconcile: { ...lastReconcile, status: 'rejected', why },
    workItem: { priority: 'drift', at: epochMs(1), why, tries: 0 },
  });
  const known = { kind: 'snapshot', snapshot } as const;

  expect(attentionRow(ID, known)?.properties.why).toBe(why.replace('\ud83d', '\ufffd'));
  expect(workItemRow(ID, known)?.properties.why).toBe(why.replace('\ud83d', '\ufffd'));
});
