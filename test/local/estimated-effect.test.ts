import { describe, expect, test } from '@jest/globals';
import type { RunCommand } from '../../local/control-api/index.ts';
import { estimatedEffect } from '../../local/watch/fleet-change.ts';

/** Answers each command by its first words. */
const answering =
  (answers: Readonly<Record<string, unknown>>): RunCommand =>
  async (args) => {
    const text = args.join(' ');
    const name = Object.keys(answers).find((each) => text.includes(each));
    return { exitCode: name === undefined ? 1 : 0, out: JSON.stringify(answers[name ?? '']), err: '' };
  };
const ANSWERS = {
  export: {},
  '--devices': { moves: { count: 12 }, refused: { count: 0 } },
  '--twins': { writes: { count: 0 } },
  'edge plan': { devices: [{ action: 'apply' }, { action: 'inPlace' }, { action: 'apply' }] },
};
const effect = (answers: Readonly<Record<string, unknown>>) =>
  estimatedEffect('fleet.json', answering(answers), '/nowhere/devices.json');

describe('the estimated effect of a saved fleet file', () => {
  test('counts the manifests of IoT Edge devices beside twins', async () => {
    expect(await effect(ANSWERS)).toBe(
      '12 devices would move, 0 twins would be written, 2 IoT Edge devices would get a manifest',
    );
  });

  test('does not mention IoT Edge if no device would get a manifest', async () => {
    expect(await effect({ ...ANSWERS, 'edge plan': { devices: [] } })).toBe(
      '12 devices would move, 0 twins would be written',
    );
  });

  test('is not known if a command fails', async () => {
    const { export: exported, '--devices': placement, '--twins': twins } = ANSWERS;
    expect(await effect({ export: exported, '--devices': placement, '--twins': twins })).toBe(
      'berth what-if cannot estimate its effect now',
    );
  });
});
