import { expect, test } from '@jest/globals';
import { STATE_PARTS } from '../../src/store/export/state-parts.ts';

test('an import writes the fleet files before the control row, which names them to an app that runs', () => {
  const names = STATE_PARTS.map(({ name }) => name);

  expect(names.indexOf('revisions')).toBeLessThan(names.indexOf('control'));
  expect(names[0]).toBe('keptOut');
});
