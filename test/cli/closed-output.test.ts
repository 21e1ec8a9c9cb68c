import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { berthCatalog } from '../../src/cli/berth.ts';
import { watchOutput } from '../../src/cli/shell/closed-output.ts';
import { runProgram } from '../../src/cli/shell/command-line.ts';
import { toggle } from '../../src/cli/shell/inputs.ts';
import { listen } from './terminals.ts';

/** The streams and the process of a command. */
class Scene {
  readonly out = Object.assign(new EventEmitter(), { isTTY: false });
  readonly err = Object.assign(new EventEmitter(), { isTTY: true });
  readonly process = Object.assign(new EventEmitter(), {
    exitCode: undefined as number | string | null | undefined,
    exits: [] as unknown[],
    exit(code?: unknown): never {
      this.exits.push(code);
      return undefined as never;
    },
  });
  readonly begins = watchOutput([this.out, this.err], this.process as never).begins;

  fail(stream: 'out' | 'err', code: string): void {
    this[stream].emit('error', Object.assign(new Error(`write ${code}`), { code }));
  }
}

let scene: Scene;
let said: jest.SpiedFunction<typeof console.error>;
beforeEach(() => {
  scene = new Scene();
  said = jest.spyOn(console, 'error').mockImplementation(() => {});
});
afterEach(() => said.mockRestore());

describe('when the reader of the output is gone', () => {
  test.each(['out', 'err'] as const)('a command that only reads ends with success (%s)', (stream) => {
    scene.begins(false);
    scene.fail(stream, 'EPIPE');

    expect(scene.process.exits).toEqual([0]);
  });

  test('a command that has failed already keeps its exit code', () => {
    scene.process.exitCode = 1;
    scene.fail('out', 'EPIPE');

    expect(scene.process.exits).toEqual([1]);
  });

  test.each([
    ['out', 'EPIPE'],
    ['err', 'EPIPE'],
    ['out', 'ERR_STREAM_DESTROYED'],
    ['err', 'EIO'],
  ] as const)('a command that changes something goes on (%s, %s)', (stream, code) => {
    scene.begins(true);
    scene.fail(stream, code);
    scene.fail(stream, code);

    expect(scene.process.exits).toEqual([]);
    expect(said).not.toHaveBeenCalled();
    scene.process.emit('exit', 0);
    expect(scene.process.exitCode).toBeUndefined();
  });
});

describe('when the output cannot be written', () => {
  test('a command that only reads says so and fails', () => {
    scene.fail('out', 'ENOSPC');

    expect(scene.process.exits).toEqual([1]);
    expect(said).toHaveBeenCalledWith('The result cannot be written: write ENOSPC');
  });

  test('a command that changes something finishes, says so once, and fails', () => {
    scene.begins(true);
    scene.fail('out', 'ENOSPC');
    scene.fail('out', 'ENOSPC');
    scene.process.emit('exit', 0);

    expect(scene.process.exits).toEqual([]);
    expect(said).toHaveBeenCalledTimes(1);
    expect(scene.process.exitCode).toBe(1);
  });
});

describe('a command says before it runs whether it changes something', () => {
  const changesOf = async (changes: boolean | ((given: { readonly yes: boolean }) => boolean)) => {
    const begun: boolean[] = [];
    const { cli } = listen();
    await runProgram({ ...cli, begins: (each) => begun.push(each) }, ['act', '--yes'], {
      name: 'tool',
      description: '',
      epilogue: '',
      register: (commands) =>
        commands.command({
          name: 'act',
          description: 'acts',
          inputs: { '--yes': toggle('do it') },
          changes,
          run: async () => 0,
        }),
    });
    return begun;
  };

  test('always, or by its flags', async () => {
    expect(await changesOf(true)).toEqual([true]);
    expect(await changesOf(false)).toEqual([false]);
    expect(await changesOf(({ yes }) => yes)).toEqual([true]);
  });

  test('the catalog of the bundle does not decide it', () => {
    expect(JSON.stringify(berthCatalog())).not.toContain('"changes"');
  });
});
