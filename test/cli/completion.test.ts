import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { berthCatalog } from '../../src/cli/berth.ts';
import { completionScript } from '../../src/cli/completion/completion.ts';
import { nodesOf } from '../../src/cli/completion/completion-nodes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, listen } from './terminals.ts';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;
const CATALOG = berthCatalog();

let folder: string;
beforeAll(() => {
  folder = temporaryFolder('completion');
  for (const shell of SHELLS) writeFileSync(join(folder, shell), completionScript(shell, CATALOG));
});

const has = (shell: string) => spawnSync(shell, ['-c', 'exit 0']).status === 0;

/** What bash offers for the last word of a command line. */
function inBash(...words: readonly string[]): readonly string[] {
  const line = ['berth', ...words].map((word) => `'${word}'`).join(' ');
  const script = `source ${join(folder, 'bash')}; COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _berth; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8', cwd: folder }).trimEnd().split('\n');
}

/** What fish offers for a command line. */
function inFish(line: string): readonly string[] {
  const script = `source ${join(folder, 'fish')}; complete -C '${line}'`;
  return execFileSync('fish', ['--no-config', '-c', script], { encoding: 'utf8', cwd: folder })
    .split('\n')
    .map((each) => each.split('\t')[0] ?? '');
}

describe('berth completion', () => {
  test.each(SHELLS)('prints the script for %s', async (shell) => {
    const { cli, out } = listen();

    expect(await berth(cli, 'completion', shell)).toBe(0);

    expect(out()).toBe(completionScript(shell, CATALOG));
    for (const { word } of nodesOf(CATALOG).flatMap(({ commands }) => commands))
      expect(out()).toContain(word);
  });

  test('refuses an unknown shell with the known ones', async () => {
    await expect(berth(listen().cli, 'completion', 'tcsh')).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
      message: '<shell> is "tcsh": write one of bash, zsh, fish, powershell.',
    });
  });

  test.each<[readonly string[], readonly string[]]>([
    [['des'], ['describe']],
    [
      ['hub', ''],
      ['set', 'clear', '--help', '--no-color'],
    ],
    [
      ['hub', 'set', 'x', '--state', ''],
      ['active', 'cordoned', 'draining'],
    ],
    [['get', 'devices', '--status', 'dr'], ['drifted']],
    [['pause', '--re'], ['--reason']],
    [['enroll', 'certificate', 'up'], ['upload']],
    [['completion', 'f'], ['fish']],
    [['explain', '--request', 'fi'], ['fish']],
    [
      ['help', 'res'],
      ['resume', 'resync'],
    ],
  ])('in bash, %j completes to %j', (words, expected) => {
    expect(inBash(...words)).toEqual(expected);
  });

  (has('fish') ? test : test.skip).each<[string, readonly string[]]>([
    ['berth des', ['describe']],
    ['berth hub s', ['set']],
    ['berth hub set x --state d', ['draining']],
    ['berth pause --rea', ['--reason']],
    ['berth get devices --status con', ['contested']],
  ])('in fish, "%s" completes to %j', (line, expected) => {
    expect(inFish(line)).toEqual(expect.arrayContaining([...expected]));
  });

  (has('zsh') ? test : test.skip)('zsh can read its script', () => {
    const script = `autoload -U compinit; compinit -u -D; source ${join(folder, 'zsh')}; print -r -- $_comps[berth]`;

    expect(execFileSync('zsh', ['-f', '-c', script], { encoding: 'utf8', cwd: folder })).toBe('_berth\n');
  });

  test('in PowerShell, every text is quoted so that nothing of it runs', () => {
    const script = completionScript('powershell', {
      ...CATALOG,
      commands: [{ name: 'x', description: 'costs $(1) or "2" or `3`', isDefault: false, inputs: {} }],
    });

    expect(script).toContain('"x`tcosts `$(1) or `"2`" or ``3``"');
  });
});
