import { SimulatedEdge } from '../../../local/edge/device/simulated-edge.ts';
import { type EdgeFaults, NO_EDGE_FAULTS } from '../../../local/edge/faults.ts';
import type { EdgePace } from '../../../local/edge/pace.ts';
import { type LocalHubs, startLocalHubs, testKey, WEU } from '../iot-hub/local-hubs.ts';

/**
 * A hundred times as fast as a real device, except the agent's patience: on a slow machine, an update takes longer than a
 * hundredth of it. Tests of the patience set it.
 */
const FAST: EdgePace = {
  loopMs: 50,
  pullMs: 20,
  patienceMs: 60_000,
  firstRetryMs: 100,
  longestBackoffMs: 400,
  goodAfterMs: 60_000,
  crashAfterMs: 30,
  restartMs: 50,
};

export const SENSOR_IMAGE = 'mcr.microsoft.com/azureiotedge-simulated-temperature-sensor:1.5';
const DEVICE_KEY = testKey(1);

// biome-ignore lint/suspicious/noExplicitAny: tests look into twins of every shape
type AnyTwin = any;

/** A local hub with one Edge device, `gateway`, whose runtime runs. */
export interface EdgeDevice {
  readonly local: LocalHubs;
  /** Replaces the faults of the device, and waits until it knows them. */
  setFaults(faults: Partial<EdgeFaults>): Promise<void>;
  apply(modules: object, routes?: object, more?: object): Promise<void>;
  twin(moduleId?: string): AnyTwin;
  /** The reported properties of `$edgeAgent`. */
  agent(): AnyTwin;
  moduleIds(): readonly string[];
  /** The bodies and properties of telemetry, by module. */
  telemetry(moduleId: string): readonly AnyTwin[];
  /** Ends the runtime as an orderly shutdown does. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export async function startEdgeDevice(pace: Partial<EdgePace> = {}): Promise<EdgeDevice> {
  const local = await startLocalHubs();
  const registry = local.registry(WEU);
  const authentication = { symmetricKey: { primaryKey: DEVICE_KEY, secondaryKey: testKey(9) } };
  await registry.create({ deviceId: 'gateway', capabilities: { iotEdge: true }, authentication });
  let faults: Partial<EdgeFaults> = {};
  const ending = new AbortController();
  const runtime = new SimulatedEdge({
    hub: WEU,
    deviceId: 'gateway',
    key: DEVICE_KEY,
    mqttPort: local.ports.mqtt,
    httpsPort: local.ports.https,
    ca: local.authority.root,
    pace: { ...FAST, ...pace },
    faults: () => ({ ...NO_EDGE_FAULTS, ...faults }),
    signal: ending.signal,
  });
  const ended = runtime.run();
  const twin = (moduleId?: string): AnyTwin => local.hubs.view(WEU)?.twin('gateway', moduleId);
  const device: EdgeDevice = {
    local,
    async setFaults(next) {
      faults = next;
      await new Promise((resolve) => setTimeout(resolve, 4 * FAST.loopMs));
    },
    async apply(modules, routes = { up: 'FROM /messages/* INTO $upstream' }, more = {}) {
      await registry.applyConfigurationContentOnDevice('gateway', {
        modulesContent: {
          $edgeAgent: { 'properties.desired': agentDesired(modules) },
          $edgeHub: {
            'properties.desired': {
              schemaVersion: '1.1',
              routes,
              storeAndForwardConfiguration: { timeToLiveSecs: 7200 },
            },
          },
          ...more,
        },
      });
    },
    twin,
    agent: () => twin('$edgeAgent')?.properties.reported,
    moduleIds: () => local.hubs.view(WEU)?.moduleIds('gateway') ?? [],
    telemetry: (moduleId) =>
      local.events.filter(
        ({ annotations }) =>
          annotations['iothub-message-source'] === 'Telemetry' &&
          annotations['iothub-connection-module-id'] === moduleId,
      ),
    async stop() {
      ending.abort();
      await ended;
    },
    async close() {
      await device.stop();
      await local.close();
    },
  };
  return device;
}

export function agentDesired(modules: object): object {
  return {
    schemaVersion: '1.1',
    runtime: {
      type: 'docker',
      settings: {
        minDockerVersion: 'v1.25',
        registryCredentials: { own: { username: 'u', password: 'p', address: 'own.azurecr.io' } },
      },
    },
    systemModules: {
      edgeAgent: { type: 'docker', settings: { image: 'mcr.microsoft.com/azureiotedge-agent:1.6' } },
      edgeHub: {
        type: 'docker',
        status: 'running',
        restartPolicy: 'always',
        settings: { image: 'mcr.microsoft.com/azureiotedge-hub:1.6', createOptions: '' },
      },
    },
    modules,
  };
}

export function module(image: string, changes: object = {}): object {
  return { type: 'docker', status: 'running', restartPolicy: 'always', settings: { image }, ...changes };
}

export const SENSOR = module(SENSOR_IMAGE, { env: { MessageDelay: { value: '00:00:01' } } });
