import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { berthCatalog } from '../../src/cli/berth.ts';
import { completionScript } from '../../src/cli/completion/completion.ts';
import { nodesOf } from '../../src/cli/completion/completion-nodes.ts';
import { catalogOf } from '../../src/cli/shell/catalog.ts';
import { oneOf, requiredText, text, toggle } from '../../src/cli/shell/inputs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, listen } from './terminals.ts';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;
const CATALOG = berthCatalog();
/** A program with each kind of input. */
const SMALL = catalogOf({
  name: 'berth',
  description: '',
  epilogue: '',
  register(program) {
    const run = async () => 0;
    program.command({
      name: 'hubs',
      description: `show "all" hubs; it's $free`,
      inputs: {
        '--watch': toggle('repeat'),
        '--status <state>': oneOf(['active', 'draining'], text('only these')),
      },
      changes: false,
      run,
    });
    const hub = program.group('hub', 'change one hub');
    hub.command({
      name: 'set',
      description: 'override the state',
      inputs: { '<host>': requiredText('its name'), '--reason <text>': requiredText('why') },
      changes: false,
      run,
    });
  },
});

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
      ['set', 'clear', 'drain', 'prepare', '--help', '--no-color'],
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

  (has('pwsh') ? test : test.skip)('in PowerShell, it completes as in bash', () => {
    const lines: readonly (readonly [line: string, words: string])[] = [
      ['berth des', 'describe'],
      ['berth hub ', 'set clear --help --no-color'],
      ['berth hub set x --state ', 'active cordoned draining'],
      ['berth get devices --status dr', 'drifted'],
      ['berth pause --re', '--reason'],
      ['berth enroll certificate up', 'upload'],
      ['berth help res', 'resume resync'],
    ];
    // As docs/operations.md defines the function and loads the script.
    const script = `function berth { npx --no '--' berth @args }
Get-Content -Raw powershell | Out-String | Invoke-Expression
foreach ($line in ${lines.map(([line]) => `'${line}'`).join(', ')}) {
  [System.Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null).CompletionMatches.CompletionText -join ' '
}`;
    const said = execFileSync('pwsh', ['-NoProfile', '-NonInteractive', '-Command', script], {
      encoding: 'utf8',
      cwd: folder,
    });

    expect(said.trimEnd().split(/\r?\n/)).toEqual(lines.map(([, words]) => words));
  });

  test('in PowerShell, the script of a small program is the one of the golden file', () => {
    expect(completionScript('powershell', SMALL)).toBe(
      readFileSync(join(__dirname, 'completion.ps1'), 'utf8'),
    );
  });

  test('in PowerShell, no table names a key twice, in whichever case, and no word lacks its tooltip', () => {
    const script = readFileSync(join(folder, 'powershell'), 'utf8');
    const tables = script.split(/^ {2}\$\w+ = @\{$/m).slice(1);
    const keys = tables.map((table) =>
      [...table.matchAll(/^ {4}'((?:[^']|'')*)' = /gm)].map(([, key = '']) => key.toLowerCase()),
    );

    expect(keys.map(({ length }) => length > 20)).toEqual([true, true]);
    for (const table of keys) expect(new Set(table).size).toBe(table.length);
    expect(script).not.toMatch(/`t"/);
  });

  test('in PowerShell, every text is quoted so that nothing of it runs', () => {
    const script = completionScript('powershell', {
      ...CATALOG,
      commands: [{ name: 'x', description: 'costs $(1) or "2" or `3`', isDefault: false, inputs: {} }],
    });

    expect(script).toContain('"x`tcosts `$(1) or `"2`" or ``3``"');
  });
});
