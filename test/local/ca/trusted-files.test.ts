import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { openAuthority, readTrustedFiles } from '../../../local/ca/index.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('the files of --trust-ca', () => {
  const folder = temporaryFolder('trusted-files');
  const fileOf = (name: string, content: string): string => {
    const file = join(folder, name);
    writeFileSync(file, content);
    return file;
  };

  test('give every CA certificate that they hold', async () => {
    const [one, two] = [await openAuthority(), await openAuthority()];
    const both = fileOf('both.pem', `first\n${one.root}\nsecond\n${two.root}`);

    const trusted = readTrustedFiles([both, fileOf('one.pem', one.root)]);

    expect(trusted).toEqual([one.root.trim(), two.root.trim(), one.root.trim()]);
  });

  test('are refused without a CA certificate', async () => {
    const authority = await openAuthority();
    const leaf = (await authority.issueDevice('dev-1')).certificate;
    const files = [
      join(folder, 'missing.pem'),
      fileOf('empty.pem', 'nothing'),
      fileOf('leaf.pem', leaf),
      fileOf('broken.pem', authority.root.replace(/[A-Za-z]{20}/, '!')),
    ];

    for (const file of files) {
      expect(() => readTrustedFiles([file])).toThrow(
        expect.objectContaining({ code: 'BERTH_LOCAL_CA_FILE', message: expect.stringContaining(file) }),
      );
    }
  });
});
