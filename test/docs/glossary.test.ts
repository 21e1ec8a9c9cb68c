import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

/** A word that the glossary replaces. */
interface ReplacedWord {
  readonly word: RegExp;
  /** What docs/glossary.md says instead. */
  readonly use: string;
  /** Files in which the word means something else. */
  readonly except?: RegExp;
}

const REPLACED: readonly ReplacedWord[] = [
  { word: /shadow/i, use: 'snapshot' },
  { word: /\bfold(?:s|ed|ing|[A-Z]\w*)?\b/, use: 'apply an event', except: /compare|expression/ },
  { word: /verdict/i, use: 'property status' },
  { word: /\bjudg(?:e[sd]?|ing|e?ment)\b/i, use: 'reconcile, or status' },
  { word: /(?:\b|[a-z])[Ss]tandings?\b(?<!(?:under|out|long|free)standing)/, use: 'policy status' },
  { word: /\bdue (?:work(?! items?)|rows?)\b/i, use: 'work item' },
  { word: /replan/i, use: 'resync' },
  { word: /\bwalk(?:s|ed|ing|[A-Z]\w*)?\b/, use: 'audit' },
  { word: /\bpark(?:s|ed|ing)\b/i, use: 'suspended' },
  { word: /\bfighting\b/i, use: 'contested' },
  { word: /\b[Rr]amp(?:s|ed|[A-Z]\w*)?\b/, use: 'rollout (of a policy), gradual move (of devices)' },
  { word: /stranger/i, use: 'unknown hub' },
  {
    word: /outcome/i,
    use: 'result',
    except:
      /^(?:test\/)?local\/(?:(?:event-hubs\/|iot-hub\/|dps\/)?amqp|iot-hub\/(?:jobs|model\/job))|^test\/local\/event-hubs|workflows/,
  },
  { word: /contender/i, use: 'candidate' },
  { word: /\b(?:its|whose|their) turn\b/i, use: 'permit' },
  { word: /\btold again\b/i, use: 'written again' },
];

/** The terms of the glossary, with the words that they replace. */
const TERMS = [
  'snapshot',
  'apply an event',
  'reconcile',
  'drift',
  'work item',
  'work queue',
  'requeue at',
  'resync',
  'audit',
  'suspended',
  'held',
  'pause',
  'rollout',
  'stage',
  'gate',
  'gradual move',
  'contested property',
  'unknown hub',
  'candidate',
  'score',
  'receipt',
  'permit',
  'device profile',
  'result',
];

const FOLDERS = ['src', 'local', 'test', 'bench', 'scripts', 'docs', 'infra', 'schemas'];
const THIS_FILE = 'test/docs/glossary.test.ts';

const FILES = [
  'README.md',
  ...FOLDERS.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  ),
].filter((file) => /\.(?:ts|mjs|md|json|kql|bicep)$/.test(file) && file !== THIS_FILE);

const LINES = FILES.flatMap((file) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .map((text, index) => ({ file, text, place: `${file}:${index + 1}: ${text.trim()}` })),
);

describe('the glossary', () => {
  test.each(TERMS)('explains "%s"', (term) => {
    expect(readFileSync('docs/glossary.md', 'utf8')).toContain(`| ${term}`);
  });

  test.each(REPLACED)('has replaced $word by "$use" in every file', ({ word, except }) => {
    const uses = LINES.filter(({ file, text }) => word.test(text) && !except?.test(file));

    expect(uses.map(({ place }) => place)).toEqual([]);
  });
});
