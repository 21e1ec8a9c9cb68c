import { createServer, type Server } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { listen, rightFor } from '../../local/listen.ts';
import { readOptions } from '../../local/options.ts';
import { hostsLines, standardNames } from '../../local/stack/hosts-lines.ts';

describe('the ports of Azure', () => {
  test('--standard-ports uses 443 for HTTPS and 8883 for MQTT, and --port still changes one', () => {
    expect(readOptions(['--standard-ports']).ports).toMatchObject({ https: 443, mqtt: 8883 });
    expect(readOptions(['--standard-ports', '--port', 'https=7443']).ports.https).toBe(7443);
  });

  test('--config names a file, and implies a stack without Berth', () => {
    expect(readOptions(['--config', 'mine.json'])).toMatchObject({
      plain: true,
      withoutFunctions: true,
      configuration: 'mine.json',
    });
    expect(readOptions([])).toMatchObject({ plain: false, configuration: undefined });
  });

  test('a port that the operating system refuses is an error that says in one sentence what it needs', async () => {
    const server = createServer();
    const refused = Object.assign(new Error('listen EACCES'), { code: 'EACCES' });
    server.listen = ((): Server => {
      setImmediate(() => server.emit('error', refused));
      return server;
    }) as typeof server.listen;

    await expect(listen(server, 443, 'HTTPS', 'https')).rejects.toMatchObject({
      code: 'BERTH_LOCAL_PORT_REFUSED',
      message: expect.stringMatching(
        /^Port 443 for HTTPS needs a right that you do not have: [^.]+\S*[^.]*\.$/,
      ),
    });
  });

  test('each operating system has its own remedy', () => {
    expect(rightFor(443, 'linux')).toContain('net.ipv4.ip_unprivileged_port_start=443');
    expect(rightFor(443, 'darwin')).toContain('sudo');
    expect(rightFor(443, 'win32')).toContain('administrator');
  });
});

describe('the lines of the hosts file', () => {
  const names = [
    'weu.azure-devices.net',
    'weu.device.azure-devices.net',
    'global.azure-devices-provisioning.net',
  ];

  test('lead every name that does not lead to this machine yet to loopback', async () => {
    const lines = await standardNames([...names, 'localhost'], async (name) =>
      name.startsWith('weu.azure') ? '127.0.0.1' : undefined,
    );

    expect(lines.slice(1)).toEqual([
      '127.0.0.1 weu.device.azure-devices.net global.azure-devices-provisioning.net',
    ]);
  });

  test('are not shown when every name leads to this machine', async () => {
    expect(await standardNames(names, async () => '::1')).toEqual([
      expect.stringContaining('lead to this machine'),
    ]);
  });

  test('have at most eight names each', () => {
    const many = Array.from({ length: 9 }, (_, index) => `h${index}`);
    expect(hostsLines(many)).toEqual([`127.0.0.1 ${many.slice(0, 8).join(' ')}`, '127.0.0.1 h8']);
  });
});
