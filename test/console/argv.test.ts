import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { commandText, isPowershellSafe, quoted } from '../../console/commands/argv.ts';
import { argvOf, type FleetChange } from '../../console/commands/berth-commands.ts';
import {
  type ChangeKind,
  changeWords,
  EMPTY_FIELDS,
  filledChange,
} from '../../console/commands/change-form.ts';

const HOST = 'contoso-weu.azure-devices.net';

const CHANGES: readonly (readonly [change: FleetChange, posix: string, powershell: string])[] = [
  [
    { kind: 'pause', scope: { kind: 'fleet' }, reason: 'devices reboot' },
    "npx --no berth pause --reason 'devices reboot'",
    "npx --no berth pause --reason 'devices reboot'",
  ],
  [
    { kind: 'pause', scope: { kind: 'hub', host: HOST }, reason: "it's the hub" },
    `npx --no berth pause --hub ${HOST} --reason 'it'\\''s the hub'`,
    `npx --no berth pause --hub ${HOST} --reason 'it''s the hub'`,
  ],
  [
    { kind: 'resume', scope: { kind: 'policy', name: 'battery saver' }, reason: '$(reboot)' },
    "npx --no berth resume --policy 'battery saver' --reason '$(reboot)'",
    "npx --no berth resume --policy 'battery saver' --reason '$(reboot)'",
  ],
  [
    { kind: 'setHub', host: HOST, state: 'draining', weight: undefined, reason: 'moving out', expires: '7d' },
    `npx --no berth hub set ${HOST} --state draining --reason 'moving out' --expires 7d`,
    `npx --no berth hub set ${HOST} --state draining --reason 'moving out' --expires 7d`,
  ],
  [{ kind: 'clearHub', host: HOST }, `npx --no berth hub clear ${HOST}`, `npx --no berth hub clear ${HOST}`],
  [
    { kind: 'resync', host: HOST, reason: 'failover' },
    `npx --no berth resync --hub ${HOST} --reason failover`,
    `npx --no berth resync --hub ${HOST} --reason failover`,
  ],
  [
    { kind: 'approve', policy: 'interval', stage: 'all', reason: 'first stage is fine' },
    "npx --no berth rollouts approve interval --reason 'first stage is fine'",
    "npx --no berth rollouts approve interval --reason 'first stage is fine'",
  ],
  [
    { kind: 'rollout', action: 'abort', policy: 'battery saver', reason: 'replaced' },
    "npx --no berth rollouts abort 'battery saver' --reason replaced",
    "npx --no berth rollouts abort 'battery saver' --reason replaced",
  ],
  [
    { kind: 'rollout', action: 'rollbackInStages', policy: 'interval', reason: 'hot' },
    'npx --no berth rollouts rollback interval --in-stages --reason hot',
    'npx --no berth rollouts rollback interval --in-stages --reason hot',
  ],
  [
    { kind: 'replay', ids: 'all' },
    'npx --no berth dead-letters replay --all',
    'npx --no berth dead-letters replay --all',
  ],
  [
    { kind: 'replay', ids: ['2026-11-28/1/144/87c0f2a1'] },
    'npx --no berth dead-letters replay 2026-11-28/1/144/87c0f2a1',
    "npx --no berth dead-letters replay '2026-11-28/1/144/87c0f2a1'",
  ],
  [
    { kind: 'purge', ids: ['a', 'b'] },
    'npx --no berth dead-letters purge a b --yes',
    'npx --no berth dead-letters purge a b --yes',
  ],
];

describe('commands to copy', () => {
  test.each(CHANGES)(
    'the change %j is a command for a POSIX shell and for PowerShell',
    (change, posix, powershell) => {
      expect(commandText(argvOf(change), 'posix')).toBe(posix);
      expect(commandText(argvOf(change), 'powershell')).toBe(powershell);
    },
  );

  test('a POSIX shell passes every word on as it was', () => {
    // No word holds NUL, and the shell's own variables and files must not matter.
    const word = fc
      .string({ unit: 'binary', minLength: 0, maxLength: 20 })
      .filter((text) => !text.includes('\0'));
    const words = fc.sample(fc.array(word, { minLength: 1, maxLength: 5 }), { numRuns: 40, seed: 7 });
    const script = words
      .flat()
      .map((each) => `printf '%s\\0' ${quoted(each, 'posix')}`)
      .join('\n');

    const said = execFileSync('sh', { input: script }).toString('utf8').split('\0').slice(0, -1);

    expect(said).toEqual(words.flat().map((each) => Buffer.from(each, 'utf8').toString('utf8')));
  });

  test('PowerShell gets every word but plain ones in single quotes, in which only quotes are doubled', () => {
    fc.assert(
      fc.property(fc.string(), (word) => {
        const text = quoted(word, 'powershell');
        if (text === word) return /^[\w./-]+$/.test(word);
        const inner = text.slice(1, -1);
        return text.startsWith("'") && text.endsWith("'") && inner.replace(/(['‘’‚‛])\1/g, '$1') === word;
      }),
    );
  });

  test.each([['5,6'], ['1:30'], ['@args'], ['$env:PATH'], ['a;b'], [''], ['“x”'], ['-Command:x']])(
    'PowerShell gets the word %p in quotes',
    (word) => {
      expect(quoted(word, 'powershell')).toMatch(/^'.*'$/);
    },
  );

  test('characters that older versions of PowerShell change are found', () => {
    expect(isPowershellSafe(['pause', '--reason', "it's fine"])).toBe(true);
    expect(isPowershellSafe(['pause', '--reason', 'the "new" hub'])).toBe(false);
    expect(isPowershellSafe(['pause', '--reason', '100 %'])).toBe(false);
  });
});

describe('the form of a change', () => {
  const chosen: readonly ChangeKind[] = [
    { kind: 'pause', scope: { kind: 'fleet' } },
    { kind: 'resume', scope: { kind: 'hub', host: HOST } },
    { kind: 'setHub', host: HOST },
    { kind: 'clearHub', host: HOST },
    { kind: 'resync', host: HOST },
    { kind: 'approve', policy: 'interval', stage: 'all' },
    ...(['pause', 'resume', 'rollback', 'rollbackInStages', 'abort'] as const).map(
      (action) => ({ kind: 'rollout', action, policy: 'interval' }) as const,
    ),
    { kind: 'replay', ids: 'all' },
    { kind: 'purge', ids: ['a'] },
  ];

  test.each(chosen)('the change %j asks for a reason exactly if its command takes one', (each) => {
    const filled = filledChange(each, { ...EMPTY_FIELDS, reason: ' why ', state: 'cordoned' });

    expect('change' in filled && argvOf(filled.change).includes('--reason')).toBe(
      changeWords(each).fields.includes('reason'),
    );
    expect('missing' in filledChange(each, EMPTY_FIELDS)).toBe(changeWords(each).fields.includes('reason'));
  });

  test.each([
    [{ state: '', weight: '' }, /state.*weight/],
    [{ weight: '-1' }, /above 0/],
    [{ weight: 'many' }, /above 0/],
    [{ state: 'cordoned', expires: ' ' }, /expires/],
    [{ state: 'cordoned', reason: ' ' }, /reason/],
  ])('an override with %j says what is missing', (fields, missing) => {
    const result = filledChange(
      { kind: 'setHub', host: HOST },
      { ...EMPTY_FIELDS, reason: 'why', ...fields },
    );

    expect(result).toEqual({ missing: expect.stringMatching(missing) });
  });

  test('a reason is kept without spaces around it', () => {
    expect(filledChange({ kind: 'resync', host: HOST }, { ...EMPTY_FIELDS, reason: ' failover ' })).toEqual({
      change: { kind: 'resync', host: HOST, reason: 'failover' },
    });
  });
});
