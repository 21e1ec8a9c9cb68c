import type { WantedModule } from '../manifest/agent-manifest.ts';
import type { ModuleHost, SimulatedModule } from './simulated-module.ts';
import { TemperatureSensor } from './temperature-sensor.ts';

/** A module whose program is not simulated: it runs, connects and does nothing. */
const IDLE: SimulatedModule = {
  methods: {},
  onDesired: () => {},
  onInput: () => {},
  stop: async () => {},
};

/** The program of an image. */
export function simulatedModule(module: WantedModule, host: ModuleHost): SimulatedModule {
  return /simulated-temperature-sensor/.test(module.image) ? new TemperatureSensor(module, host) : IDLE;
}
