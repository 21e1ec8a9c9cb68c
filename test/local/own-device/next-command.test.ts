import { expect, test } from '@jest/globals';
import { nextCommand, USUAL_CONTROL } from '../../../local/own-device/next-command.ts';

const FLAGS = { x509: false, edge: false, control: USUAL_CONTROL };

test.each([
  ['a key', FLAGS, 'npm run --silent device -- dev-1 --print-env'],
  ['a certificate', { ...FLAGS, x509: true }, 'npm run --silent device -- dev-1 --x509 --print-env'],
  ['a group', { ...FLAGS, group: 'g-1' }, 'npm run --silent device -- dev-1 --group g-1 --print-env'],
  ['an Edge identity', { ...FLAGS, edge: true }, 'npm run --silent device -- dev-1 --edge --print-env'],
  [
    'a stack with other ports',
    { ...FLAGS, control: 'http://127.0.0.1:29217' },
    'npm run --silent device -- dev-1 --print-env --control http://127.0.0.1:29217',
  ],
])('the command that prints the environment keeps the flags of a device with %s', (_what, flags, command) => {
  expect(nextCommand('dev-1', flags, '--print-env')).toBe(command);
});

test('the command that runs the simulated runtime keeps them too', () => {
  expect(nextCommand('dev-1', { ...FLAGS, edge: true, group: 'g-1' }, '--stay')).toBe(
    'npm run device -- dev-1 --group g-1 --edge --stay',
  );
});
