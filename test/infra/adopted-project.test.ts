import { mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { berth, listen } from '../cli/terminals.ts';
import { startFakeArm } from '../support/arm/fake-arm.ts';
import { projectFiles } from '../support/project-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { describeBicep, snapshotOfFile } from './bicep.ts';

describeBicep('a project that berth init --from-azure has made', () => {
  test('deploys an app for the hubs and the DPS that exist, and creates no hub and no DPS', async () => {
    const folder = realpathSync(temporaryFolder('adopted'));
    const projectFile = join(temporaryFolder('project-files'), 'project.json');
    writeFileSync(projectFile, JSON.stringify(projectFiles()));
    const arm = await startFakeArm('hub-existing', 'dps-existing');
    try {
      await berth(
        { ...listen({ IOT_ENDPOINT: arm.origin }).cli, projectFile },
        'init',
        folder,
        '--from-azure',
      );
    } finally {
      arm.close();
    }
    mkdirSync(join(folder, 'node_modules/@your-org/berth'), { recursive: true });
    symlinkSync(resolve('infra'), join(folder, 'node_modules/@your-org/berth/infra'));

    const { predictedResources, outputs } = await snapshotOfFile(join(folder, 'infra/production.bicepparam'));

    const types = predictedResources.map(({ type }) => type);
    expect(types).toContain('Microsoft.Web/sites');
    expect(types.filter((type) => type.startsWith('Microsoft.Devices/'))).toEqual([]);
    expect(outputs.BERTH_CONNECTIONS).toMatchObject({
      dps: {
        id: (JSON.parse(readFileSync('test/answers/dps-existing.json', 'utf8')) as { body: { id: string } })
          .body.id,
      },
    });
  });
});
