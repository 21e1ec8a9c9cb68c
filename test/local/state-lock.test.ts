import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { readLocalFleet } from '../../local/fleet-file.ts';
import { listen, reservePort } from '../../local/listen.ts';
import { lockState } from '../../local/state-lock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryFolder('state');
});

describe('a state folder', () => {
  test('is refused while another process uses it, and is not changed', async () => {
    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
    await once(other, 'spawn');
    lockState(directory, false)();
    writeFileSync(join(directory, 'lock'), String(other.pid));
    writeFileSync(join(directory, 'batteries.jsonl'), 'x');

    expect(() => lockState(directory, true)).toThrow(
      expect.objectContaining({
        code: 'BERTH_LOCAL_STATE_IN_USE',
        message: expect.stringContaining(String(other.pid)),
      }),
    );
    expect(existsSync(join(directory, 'batteries.jsonl'))).toBe(true);

    other.kill();
    await once(other, 'exit');
    expect(() => lockState(directory, false)).not.toThrow();
  });

  test('is emptied for a fresh start, kept otherwise, and unlocked at the end', () => {
    lockState(directory, false)();
    writeFileSync(join(directory, 'batteries.jsonl'), 'x');
    lockState(directory, false)();
    expect(existsSync(join(directory, 'batteries.jsonl'))).toBe(true);

    lockState(directory, true)();

    expect(existsSync(join(directory, 'batteries.jsonl'))).toBe(false);
    expect(existsSync(join(directory, 'lock'))).toBe(false);
  });
});

test('a port that is in use is an error that names the purpose of the port', async () => {
  const server = createServer();
  const port = await listen(server, 0, 'a test');

  await expect(reservePort(port, 'MQTT')).rejects.toMatchObject({
    code: 'BERTH_LOCAL_PORT_TAKEN',
    message: `Port ${port} for MQTT is in use by another program.`,
  });
  server.close();
});

test('an error about a port that the operator can choose names --port and --free-ports', async () => {
  const server = createServer();
  const port = await listen(server, 0, 'a test');

  await expect(reservePort(port, 'Azurite (table)', 'table')).rejects.toMatchObject({
    code: 'BERTH_LOCAL_PORT_TAKEN',
    message: `Port ${port} for Azurite (table) is in use by another program. End that program, use another port (npm start -- --port table=${port + 1}), or use free ports for everything (npm start -- --free-ports).`,
  });
  server.close();
});

describe('the fleet file', () => {
  test('is refused with the first problem in the message and the others in the details', () => {
    const file = join(directory, 'fleet.json');
    writeFileSync(file, '{"hubs":[{"host":"weu"}]}');

    expect(() => readLocalFleet(file)).toThrow(
      expect.objectContaining({
        code: 'BERTH_LOCAL_FLEET_INVALID',
        message: expect.stringMatching(
          /fleet\.json is not valid: hubs\[0\]\.host is "weu": .* \(and 2 more, below\)\.$/,
        ),
        details: [expect.anything(), expect.anything()],
      }),
    );
  });

  test('is refused with an error if it does not exist', () => {
    expect(() => readLocalFleet(join(directory, 'none.json'))).toThrow(
      /cannot be read\. Run the command in the folder of the project/,
    );
  });
});
