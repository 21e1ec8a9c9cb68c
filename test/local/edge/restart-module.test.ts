import { expect, test } from '@jest/globals';
import { EdgeAgent } from '../../../local/edge/agent/agent.ts';
import { Containers } from '../../../local/edge/agent/containers.ts';
import { NO_EDGE_FAULTS } from '../../../local/edge/faults.ts';
import { REAL_PACE } from '../../../local/edge/pace.ts';
import type { JsonObject } from '../../../src/json/json.ts';
import { until } from '../iot-hub/local-hubs.ts';
import { agentDesired, module } from './edge-device.ts';

test('a module that an operator restarts is not counted as failed, although the agent looks while the module ends', async () => {
  let end = () => {};
  const containers = new Containers({
    pace: { ...REAL_PACE, pullMs: 0 },
    now: Date.now,
    faults: () => NO_EDGE_FAULTS,
    program: () => ({
      stop: () =>
        new Promise((resolve) => {
          end = resolve;
        }),
    }),
  });
  let reported: JsonObject = {};
  const agent = new EdgeAgent({
    pace: { ...REAL_PACE, pullMs: 0, firstRetryMs: 0 },
    now: Date.now,
    containers,
    identities: { set: async () => {}, remove: async () => {} },
    faults: () => NO_EDGE_FAULTS,
    report: async (document) => {
      reported = document;
    },
    onKilled: () => {},
  });
  const idle = () => (reported.modules as JsonObject | undefined)?.idle as JsonObject | undefined;
  agent.take({ ...agentDesired({ idle: module('idle:1') }), $version: 1 } as JsonObject);
  await agent.reconcile();
  await until(() => containers.state('idle')?.isRunning === true, 'the module');

  const restarting = agent.restart('idle');
  await agent.reconcile();
  expect(idle()).toMatchObject({ restartCount: 0 });
  end();
  expect(await restarting).toBe(true);
  await agent.reconcile();

  expect(idle()).toMatchObject({ restartCount: 0, runtimeStatus: 'running' });
});
