import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { BICEP_VERSION } from '../support/bicep/find-compiler.ts';
import { type ScriptProject, scriptProject } from './script-project.ts';

/** Says how it was called, and acts as `bicep snapshot`: writes a file, or compares with it. */
const COMPILER = `#!/bin/bash
echo "bicep $*" >> "$CALLS"
written="\${2%.bicepparam}.snapshot.json"
if [ -n "$REFUSES" ] && [[ "$2" == $REFUSES ]]; then echo 'hubs has 51 hubs' >&2; exit 1; fi
if [ "$3" != --mode ]; then cat "$2" > "$written"; exit 0; fi
if cmp --silent "$2" "$written"; then exit 0; fi
echo 'Snapshot validation failed. Expected no changes, but found the following:'
printf '\\033[38;5;77m+ %s\\033[0m\\n' "$(cat "$2")"
exit 1
`;

describe('snapshots.sh', () => {
  let stage: ScriptProject;
  beforeEach(() => {
    stage = scriptProject();
    stage.write('bin/bicep', COMPILER, 0o755);
    mkdirSync(join(stage.path, 'base/infra'));
    stage.write('base/infra/small.bicepparam', '');
  });
  const snapshots = (env: Readonly<Record<string, string>> = {}) =>
    stage.script('snapshots.sh', ['base', 'report/5.md'], { BICEP: join(stage.path, 'bin/bicep'), ...env });
  const report = () => stage.read('report/5.md');

  test('shows for each parameter file what would be created differently, without colours', async () => {
    stage.write('infra/small.bicepparam', 'a hub');

    expect((await snapshots()).code).toBe(0);

    expect(report()).toBe(
      '### What infra/production.bicepparam would create\n\n~~~~~~text\nThe file is new.\n~~~~~~\n\n' +
        '### What infra/small.bicepparam would create\n\n~~~~~~text\n+ a hub\n~~~~~~\n\n',
    );
    expect(readdirSync(join(stage.path, 'infra')).filter((file) => file.includes('snapshot'))).toEqual([]);
  });

  test('says so where nothing changes', async () => {
    await snapshots();

    expect(report()).toContain('\nNothing changes.\n');
  });

  test('shows why a fleet is refused, and fails', async () => {
    const { code } = await snapshots({ REFUSES: 'infra/small.bicepparam' });

    expect([code, report()]).toEqual([1, expect.stringContaining('\nhubs has 51 hubs\n')]);
  });

  test('shows that the base branch cannot be evaluated, and does not fail for that', async () => {
    const { code } = await snapshots({ REFUSES: 'base/*' });

    expect([code, report()]).toEqual([0, expect.stringContaining('base branch cannot be evaluated')]);
  });

  test('finds the compiler that the project file restores, and says what is missing', async () => {
    mkdirSync(join(stage.path, 'scripts/bicep'));
    cpSync('scripts/bicep/bicep.csproj', join(stage.path, 'scripts/bicep/bicep.csproj'));
    const env = { BICEP: '', NUGET_PACKAGES: join(stage.path, 'packages') };
    const tools = `packages/azure.bicep.commandline.linux-x64/${BICEP_VERSION}/tools`;

    expect(await snapshots(env)).toMatchObject({
      code: 1,
      err: expect.stringContaining('dotnet restore scripts/bicep'),
    });
    mkdirSync(join(stage.path, tools), { recursive: true });
    stage.write(`${tools}/bicep`, COMPILER, 0o755);
    expect((await snapshots(env)).code).toBe(0);
  });
});
