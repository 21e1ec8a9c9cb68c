import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** All files together, as a server with gzip sends them. */
const MOST_BYTES = 120 * 1024;

let folder: string;
const read = (file: string) => readFileSync(join(folder, file), 'utf8');
beforeAll(() => {
  folder = temporaryFolder('console-bundle');
  const script = pathToFileURL('scripts/build/console.mjs').href;
  const program = `import(${JSON.stringify(script)}).then(({ buildConsole }) => buildConsole(${JSON.stringify(folder)}))`;
  execFileSync(process.execPath, ['--eval', program]);
});

describe('the files of the console', () => {
  test('they are one page, one script, one stylesheet and an icon, at most 120 KB compressed', () => {
    const files = readdirSync(folder).sort();
    const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file))).length, 0);

    expect(files).toEqual(['console.css', 'console.js', 'icon.svg', 'index.html']);
    expect(bytes).toBeLessThan(MOST_BYTES);
  });

  test('the page has no inline script, no inline style, and no address of another origin', () => {
    const html = read('index.html');

    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=/);
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  });

  test('the script evaluates no text, and the stylesheet loads nothing', () => {
    const script = read('console.js');

    expect(script).not.toMatch(/\beval\(|new Function\(|\bimport\(/);
    expect(script).not.toMatch(/https?:\/\/(?!www\.w3\.org\/)[\w.]+\.(?:com|net|org|io)\/(?!.*license)/i);
    expect(read('console.css')).not.toMatch(/@import|url\((?!["']?data:)/);
  });

  test('nothing of the functions is in the script: no schema library, no SDK, no secret', () => {
    const script = read('console.js');

    expect(script).not.toMatch(/ZodError|azure-iothub|SharedAccessKey|local-function-key/);
  });
});
