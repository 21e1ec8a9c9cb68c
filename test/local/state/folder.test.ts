import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, parse } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { markForClearing } from '../../../local/state/folder.ts';
import { lockState } from '../../../local/state-lock.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let root: string;
beforeEach(() => {
  root = temporaryFolder('folder');
});

/** Writes files, given as path in the root and content. */
function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const take = (name: string, fresh = false) =>
  lockState(join(root, name), fresh, { protectedFolders: [root] });
const refusal = (act: () => unknown, code: string, message: RegExp): void =>
  expect(act).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));

/** A part of what Berth kept before folders were marked. */
const EARLIER = {
  'state/hubs/contoso-weu.azure-devices.net.jsonl': '',
  'state/event-hubs/twin-events/0.jsonl': '',
  'state/azurite/__azurite_db_table__.json': '{}',
  'state/azurite/__blobstorage__/2d689d1a-a20c-4102-a6a5-3409de39b249': 'x',
  'state/ca/root.pem': 'x',
  'state/dps/registrations.jsonl': '',
  'state/logs/functions.log': '',
  'state/batteries.jsonl': '',
};

describe('the folder of the state', () => {
  test('a new folder is created with its parents, and marked', () => {
    take('a/b/c')();

    expect(JSON.parse(readFileSync(join(root, 'a/b/c/berth-state.json'), 'utf8'))).toMatchObject({
      berth: 'state',
      format: 2,
    });
  });

  test('an empty folder is accepted, also through a symbolic link', () => {
    mkdirSync(join(root, 'empty'));
    symlinkSync('empty', join(root, 'link'));

    take('link')();

    expect(existsSync(join(root, 'empty', 'berth-state.json'))).toBe(true);
  });

  test('a folder of an earlier version without a marker is accepted', () => {
    write(EARLIER);

    take('state', true)();

    expect(existsSync(join(root, 'state/hubs'))).toBe(false);
    expect(existsSync(join(root, 'state/berth-state.json'))).toBe(true);
  });

  test('a folder in which an earlier version stopped early is accepted', () => {
    write({ 'state/lock': '999999999' });
    mkdirSync(join(root, 'state/logs'));

    expect(take('state')).toBeDefined();
  });

  test.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['foreign files', { 'notes.txt': 'x' }, /contains "notes.txt"/],
    ["a folder that has the name of one of Berth's own", { 'logs/functions.log': 'x' }, /is not empty/],
    ['a folder that has the name of the lock file', { 'lock/x': 'x' }, /is not empty/],
    ['data of another Azurite', { 'azurite/__azurite_db_table__.json': '{}' }, /is not empty/],
    [
      'a marker of another program',
      { 'berth-state.json': '{"berth":true}', 'x.txt': '' },
      /contains "x.txt"/,
    ],
  ])('a folder with %s is refused, with or without --fresh, and nothing is deleted', (_, files, message) => {
    const full = Object.fromEntries(Object.entries(files).map(([path, text]) => [`other/${path}`, text]));
    write(full);

    for (const fresh of [false, true]) {
      refusal(() => take('other', fresh), 'BERTH_LOCAL_STATE_FOREIGN', message);
    }

    for (const [path, text] of Object.entries(full))
      expect(readFileSync(join(root, path), 'utf8')).toBe(text);
    expect(existsSync(join(root, 'other/berth-state.json'))).toBe('other/berth-state.json' in full);
  });

  test('a folder of an earlier version that also holds foreign files is refused', () => {
    write({ ...EARLIER, 'state/thesis.doc': 'x' });

    refusal(() => take('state', true), 'BERTH_LOCAL_STATE_FOREIGN', /contains "thesis.doc"/);
    expect(existsSync(join(root, 'state/batteries.jsonl'))).toBe(true);
  });

  test('the root, the home folder, the project, and folders that contain them are refused, even if empty or marked', () => {
    write({ 'berth-state.json': '{"berth":"state"}' });
    mkdirSync(join(root, 'project'));
    symlinkSync(root, join(root, 'project/up'));
    const protectedFolders = [join(root, 'project')];

    const folders: readonly (readonly [string, RegExp])[] = [
      [parse(root).root, /is the root of a file system/],
      [homedir(), /is your home folder|contains your home folder/],
      [join(root, 'project'), /is the project/],
      [root, /contains the project/],
      [join(root, 'project/up'), /contains the project/],
      [process.cwd(), /is the working directory/],
      ['', /names no folder/],
    ];
    for (const [folder, message] of folders) {
      refusal(() => lockState(folder, true, { protectedFolders }), 'BERTH_LOCAL_STATE_FOREIGN', message);
    }
  });
});

describe('a folder that cannot be used', () => {
  test.each<[string, string, RegExp]>([
    ['a file', 'file', /file is not a folder/],
    ['a path below a file', 'file/sub/deep', /file is not a folder/],
    ['a symbolic link to nothing', 'dangling', /is not a folder/],
    ['a symbolic link to itself', 'loop', /leads to itself/],
    ['a name that is too long', 'x'.repeat(300), /too long/],
  ])('a folder is refused at once if it is %s', (_, name, message) => {
    write({ file: 'mine' });
    symlinkSync('nowhere', join(root, 'dangling'));
    symlinkSync('loop', join(root, 'loop'));

    refusal(() => take(name, true), 'BERTH_LOCAL_STATE_UNUSABLE', message);

    expect(readFileSync(join(root, 'file'), 'utf8')).toBe('mine');
  });

  const onLinux = process.platform === 'linux' ? test : test.skip;
  onLinux('is refused at once where no folder can be made, as in /proc', () => {
    refusal(
      () => lockState('/proc/berth/state', false),
      'BERTH_LOCAL_STATE_UNUSABLE',
      /^\/proc\/berth cannot be/,
    );
  });
});

describe('a fresh start', () => {
  test('deletes everything that Berth stores, and nothing else', () => {
    const mine = { 'state/notes.txt': 'a', 'state/hubs/mine.csv': 'b', 'state/photos/lock': 'c' };
    take('state')();
    write({ ...EARLIER, ...mine });
    const kept: string[] = [];

    lockState(join(root, 'state'), true, { onKept: (paths) => kept.push(...paths) })();

    for (const path of Object.keys(EARLIER))
      expect([path, existsSync(join(root, path))]).toEqual([path, false]);
    for (const [path, text] of Object.entries(mine))
      expect(readFileSync(join(root, path), 'utf8')).toBe(text);
    expect(kept.toSorted()).toEqual(['hubs/mine.csv', 'notes.txt', 'photos']);
  });

  test.each([
    ['a folder', 'azurite'],
    ['a file', 'batteries.jsonl'],
  ])('does not delete through a symbolic link that replaces %s', (_, name) => {
    take('state')();
    write({ 'elsewhere/__azurite_db_table__.json': 'mine' });
    symlinkSync(join(root, 'elsewhere'), join(root, 'state', name));

    for (const fresh of [true, false]) {
      refusal(
        () => take('state', fresh),
        'BERTH_LOCAL_STATE_DAMAGED',
        new RegExp(`${name} is a symbolic link`),
      );
    }

    expect(readFileSync(join(root, 'elsewhere/__azurite_db_table__.json'), 'utf8')).toBe('mine');
    expect(existsSync(join(root, 'state/lock'))).toBe(false);
  });
});

test('names a file that replaces a folder, and a folder that replaces a file', () => {
  take('state')();
  write({ 'state/hubs': 'x' });
  refusal(() => take('state'), 'BERTH_LOCAL_STATE_DAMAGED', /hubs is a file, but Berth needs a folder there/);
  rmSync(join(root, 'state/hubs'));

  write({ 'state/ca/root.pem/x': 'x' });
  refusal(() => take('state'), 'BERTH_LOCAL_STATE_DAMAGED', /root\.pem is a folder, but Berth needs a file/);
});

test('writes a marker again that a crash left empty', () => {
  write({ 'state/berth-state.json': '', 'state/lock': '999999999' });

  take('state')();

  expect(readFileSync(join(root, 'state/berth-state.json'), 'utf8')).toContain('"berth": "state"');
});

describe('the state of another version', () => {
  test.each<[string, Readonly<Record<string, string>>, string]>([
    ['no marker', {}, 'no format number'],
    ['a damaged marker', { 'state/berth-state.json': '{"berth":"st' }, 'no format number'],
    [
      'the marker of an earlier version',
      { 'state/berth-state.json': '{"berth":"state","format":1}' },
      'format 1',
    ],
    [
      'the marker of a later version',
      { 'state/berth-state.json': '{"berth":"state","format":3}' },
      'format 3',
    ],
    ['a marker without a format', { 'state/berth-state.json': '{"berth":"state"}' }, 'no format number'],
    [
      'a format that is no number',
      { 'state/berth-state.json': '{"berth":"state","format":"2"}' },
      'no format number',
    ],
  ])('is refused in one sentence that names --fresh, and stays, with %s', (_, marker, found) => {
    const files = { ...EARLIER, ...marker };
    write(files);

    refusal(
      () => take('state'),
      'BERTH_LOCAL_STATE_FORMAT',
      new RegExp(
        `^[^\n]*state holds the state of another version of Berth \\(${found}, [^.\n]*--fresh[^.]*--state\\.$`,
      ),
    );

    for (const [path, text] of Object.entries(files))
      expect([path, readFileSync(join(root, path), 'utf8')]).toEqual([path, text]);
    expect(existsSync(join(root, 'state/lock'))).toBe(false);
  });

  test('is deleted by a start with --fresh, and the next start works without it', () => {
    write({ ...EARLIER, 'state/berth-state.json': '{"berth":"state","format":1}' });

    take('state', true)();
    write({ 'state/batteries.jsonl': 'x' });
    take('state')();

    expect(existsSync(join(root, 'state/hubs'))).toBe(false);
    expect(readFileSync(join(root, 'state/batteries.jsonl'), 'utf8')).toBe('x');
  });

  test('needs another start with --fresh if only a part was deleted', () => {
    write({ ...EARLIER, 'state/berth-state.json': '{"berth":"state","format":2}' });
    markForClearing(join(root, 'state'));

    refusal(() => take('state'), 'BERTH_LOCAL_STATE_FORMAT', /a part of it has been deleted/);
    take('state', true)();
    take('state')();
  });

  test('is accepted if the earlier version stored nothing yet', () => {
    write({ 'state/berth-state.json': '{"berth":"state","format":1}', 'state/lock': '999999999' });

    take('state')();

    expect(readFileSync(join(root, 'state/berth-state.json'), 'utf8')).toContain('"format": 2');
  });
});
