import { faultsOfControlApi } from '../edge/device/control-faults.ts';
import { SimulatedEdge } from '../edge/device/simulated-edge.ts';
import type { DeviceProof, StartDevices } from './messages.ts';

/** The runtime of IoT Edge beside a simulated device. It follows the device to its hub. */
export class EdgeCompanion {
  readonly #deviceId: string;
  readonly #proof: DeviceProof;
  readonly #stack: Omit<StartDevices, 'type' | 'devices'>;
  #running:
    | { readonly hub: string; readonly ending: AbortController; readonly ended: Promise<void> }
    | undefined;

  constructor(deviceId: string, proof: DeviceProof, stack: Omit<StartDevices, 'type' | 'devices'>) {
    this.#deviceId = deviceId;
    this.#proof = proof;
    this.#stack = stack;
  }

  /** Starts the runtime for a hub. On the same hub, the runtime goes on. */
  async moveTo(hub: string): Promise<void> {
    const before = this.#running;
    if (before?.hub === hub || this.#proof.kind !== 'key') return;
    const { mqttPort, httpsPort, ca, controlUrl } = this.#stack;
    const address = { hub, deviceId: this.#deviceId, key: this.#proof.key, mqttPort, httpsPort, ca };
    const ending = new AbortController();
    const runtime = new SimulatedEdge({
      ...address,
      faults: faultsOfControlApi(controlUrl, address),
      signal: ending.signal,
    });
    this.#running = { hub, ending, ended: this.stop().then(() => runtime.run()) };
    await this.#running.ended;
  }

  /** Ends the runtime as an orderly shutdown does. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.ending.abort();
    await running?.ended;
  }
}
