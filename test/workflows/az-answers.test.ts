import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { isObject, type JsonValue } from '../../src/json/json.ts';
import { goldenAnswer } from '../support/arm/answers.ts';

/** `--query` of each call of `az` in a script, as the shell gives it to `az`. */
function queriesOf(script: string): readonly string[] {
  const text = readFileSync(`scripts/deploy/${script}`, 'utf8');
  return [...text.matchAll(/--query (?:"((?:[^"\\]|\\.)*)"|'([^']*)')/g)].map(([, double, single]) =>
    double === undefined ? (single ?? '') : double.replaceAll('\\"', '"').replaceAll('$2', 'berth'),
  );
}

/** The forms of JMESPath that the scripts use: `a.b`, `a || b`, `join(' ', a || b)`, `length((a || b)[?c!='D' && …])`. */
function evaluate(query: string, json: JsonValue): JsonValue {
  const filtered = /^length\(\((.*)\)\[\?(.*)\]\)$/.exec(query);
  if (filtered !== null) {
    const [, from = '', conditions = ''] = filtered;
    const list = evaluate(from, json);
    if (!Array.isArray(list)) throw new Error(`length(): invalid type for value: ${JSON.stringify(list)}`);
    const holds = (item: JsonValue) =>
      conditions.split(' && ').every((condition) => {
        // Alternatives are in brackets.
        const terms = condition.startsWith('(') ? condition.slice(1, -1).split(' || ') : [condition];
        return terms.some((term) => isTrue(term, item));
      });
    return list.filter(holds).length;
  }
  const joined = /^join\(' ', (.*)\)$/.exec(query)?.[1];
  if (joined !== undefined) {
    const list = evaluate(joined, json);
    if (!Array.isArray(list)) throw new Error(`join(): invalid type for value: ${JSON.stringify(list)}`);
    return list.join(' ');
  }
  const alternatives = query.split(' || ');
  if (alternatives.length > 1) {
    return alternatives.map((each) => evaluate(each, json)).find((value) => value !== null) ?? null;
  }
  if (!/^("[^"]+"|\w+)(\.\w+)*$/.test(query)) throw new Error(`The test does not know the query ${query}.`);
  return query
    .replaceAll('"', '')
    .split('.')
    .reduce<JsonValue>((value, key) => (isObject(value) ? (value[key] ?? null) : null), json);
}

/** `a!='B'`, `contains(a, 'B')` and `!contains(a, 'B')`. */
function isTrue(term: string, item: JsonValue): boolean {
  const [, member, value] = /^(\w+)!='(\w+)'$/.exec(term) ?? [];
  if (member !== undefined) return evaluate(member, item) !== value;
  const [, not, text, part] = /^(!?)contains\((\w+), '([^']*)'\)$/.exec(term) ?? [];
  if (text === undefined || part === undefined)
    throw new Error(`The test does not know the condition ${term}.`);
  return String(evaluate(text, item)).includes(part) !== (not === '!');
}

const only = (script: string, part: string) =>
  queriesOf(script).find((query) => query.includes(part)) ?? `(no query with ${part} in ${script})`;

describe('the scripts read the documented answers of Azure', () => {
  test.each(['what-if', 'what-if-cli'])(
    'drift counts what %s would create, change, deploy or delete, but no change of a hub, which no template makes',
    (name) => {
      expect(evaluate(only('infra.sh', 'changeType'), goldenAnswer(name).body)).toBe(6);
    },
  );

  test('drift does not take an answer without changes for no drift', () => {
    expect(() => evaluate(only('infra.sh', 'changeType'), { status: 'Failed' })).toThrow('invalid type');
  });

  test.each(['function-app', 'function-app-cli'])('the host name of an app is found in %s', (name) => {
    expect(evaluate(only('settings.sh', 'defaultHostName'), goldenAnswer(name).body)).toBe(
      'func-berth-main-abc-hxhdf9.westeurope-01.azurewebsites.net',
    );
  });

  test.each(['function-app', 'function-app-cli'])('all host names of an app are found in %s', (name) => {
    expect(evaluate(only('webhooks.sh', 'hostNames'), goldenAnswer(name).body)).toBe(
      'func-berth-main-abc-hxhdf9.westeurope-01.azurewebsites.net berth.contoso.com',
    );
  });

  test('the key of an app is found by its name, and a missing one is empty', () => {
    const [query = ''] = queriesOf('settings.sh').filter((each) => each.includes('berth'));

    expect(evaluate(query, goldenAnswer('function-keys').body)).toBe('bWFkZS11cC1mdW5jdGlvbi1rZXk=');
    expect(evaluate(query, {})).toBeNull();
  });

  test('no script asks for an answer that this test does not know', () => {
    const scripts = [
      'infra.sh',
      'settings.sh',
      'release.sh',
      'smoke.sh',
      'enrollments.sh',
      'webhooks.sh',
      'connect.sh',
    ];

    expect(scripts.flatMap(queriesOf)).toHaveLength(4);
  });
});
