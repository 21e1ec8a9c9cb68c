import { expect, test } from '@jest/globals';
import { attentionRow, dueRow } from '../../src/store/twins/twin-rows.ts';
import { ID, shadowOf } from '../twin/twins.ts';

test('a reason that ends in half of a surrogate pair is stored with a replacement character', () => {
  const why = `interval the device answered 400: ${'x'.repeat(99)}\ud83d`;
  const { judgement } = shadowOf();
  const shadow = shadowOf({
    judgement: { ...judgement, state: 'rejected', why },
    due: { priority: 'drift', at: 1, why, tries: 0 },
  });
  const known = { kind: 'shadow', shadow } as const;

  expect(attentionRow(ID, known)?.properties.why).toBe(why.replace('\ud83d', '\ufffd'));
  expect(dueRow(ID, known)?.properties.why).toBe(why.replace('\ud83d', '\ufffd'));
});
