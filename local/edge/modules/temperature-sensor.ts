import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject, type JsonValue, jsonOrUndefined } from '../../../src/json/json.ts';
import type { WantedModule } from '../manifest/agent-manifest.ts';
import type { ModuleHost, ModuleMethod, SimulatedModule } from './simulated-module.ts';
import { FIRST_TEMPERATURE, measurement, nextTemperature, timeSpan } from './temperature.ts';

const OUTPUT = 'temperatureOutput';
const USUAL_COUNT = 500;
const USUAL_DELAY_MS = 5_000;
/** However short the interval is: four messages a second. */
const SHORTEST_MS = 250;

/**
 * Microsoft's SimulatedTemperatureSensor: it sends the temperature of a machine every `MessageDelay`, `MessageCount` times (-1:
 * without end). `SendInterval` (seconds) and `SendData` are desired properties. It reports them only after a change.
 */
export class TemperatureSensor implements SimulatedModule {
  readonly #host: ModuleHost;
  readonly #most: number;
  readonly #batchId = randomUUID();
  #intervalMs: number;
  #sendsData = true;
  #temperature = FIRST_TEMPERATURE;
  #sent = 0;
  #timer: NodeJS.Timeout | undefined;

  readonly methods: Readonly<Record<string, ModuleMethod>> = {
    reset: async () => {
      this.#reset();
      return { status: 200, payload: null };
    },
  };

  constructor({ env }: WantedModule, host: ModuleHost) {
    this.#host = host;
    const count = Number(env.MessageCount ?? USUAL_COUNT);
    this.#most = Number.isInteger(count) ? count : USUAL_COUNT;
    this.#intervalMs = timeSpan(String(env.MessageDelay ?? '')) ?? USUAL_DELAY_MS;
    this.#schedule();
  }

  onDesired({ SendData, SendInterval }: JsonObject, isPatch: boolean): void {
    if (typeof SendData === 'boolean') this.#sendsData = SendData;
    if (typeof SendInterval === 'number' && SendInterval > 0) {
      this.#intervalMs = SendInterval * 1000;
      this.#schedule();
    }
    if (isPatch) this.#host.report({ SendData: this.#sendsData, SendInterval: this.#intervalMs / 1000 });
  }

  onInput(input: string, body: Buffer): void {
    if (input !== 'control') return;
    const message: JsonValue | undefined = jsonOrUndefined(body.toString('utf8'));
    const commands = Array.isArray(message) ? message : [message];
    const isReset = (each: JsonValue | undefined) =>
      isObject(each) && (each.command === 0 || String(each.command).toLowerCase() === 'reset');
    if (commands.some(isReset)) this.#reset();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  #reset(): void {
    this.#temperature = FIRST_TEMPERATURE;
    this.#host.log('Received reset');
  }

  #schedule(): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#send(), Math.max(this.#intervalMs, SHORTEST_MS));
    this.#timer.unref();
  }

  #send(): void {
    if (!this.#sendsData) return;
    if (this.#most !== -1 && this.#sent >= this.#most) {
      clearInterval(this.#timer);
      this.#host.log(`Done sending ${this.#sent} messages`);
      return;
    }
    this.#sent += 1;
    const text = JSON.stringify(measurement(this.#temperature, Math.random(), this.#host.now()));
    this.#host.log(`Sending message: ${this.#sent}, Body: [${text}]`);
    this.#host.send(OUTPUT, {
      body: Buffer.from(text),
      properties: { sequenceNumber: String(this.#sent), batchId: this.#batchId },
    });
    this.#temperature = nextTemperature(this.#temperature, Math.random());
  }
}
