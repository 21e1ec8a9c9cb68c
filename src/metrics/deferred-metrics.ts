import { type GaugeValue, type MetricAttributes, type Metrics, NO_METRICS } from './metrics.ts';

/** Values that wait while the exporter is being loaded. More are lost. */
const MOST_WAITING = 1_000;

/**
 * Metrics whose exporter is loaded later, so that a cold start does not wait for it. Without an exporter, they cost one call of
 * an empty function.
 */
export class DeferredMetrics implements Metrics {
  #target: Metrics | undefined;
  readonly #waiting: ((metrics: Metrics) => void)[] = [];

  /** @param isWanted whether an exporter will come. */
  constructor(isWanted: boolean) {
    this.#target = isWanted ? undefined : NO_METRICS;
  }

  /** Whether an exporter has come, or will come. */
  get isOn(): boolean {
    return this.#target !== NO_METRICS;
  }

  /** Gives all values to an exporter, those that waited first. */
  open(target: Metrics): void {
    this.#target = target;
    for (const measure of this.#waiting.splice(0)) measure(target);
  }

  add(name: Parameters<Metrics['add']>[0], value: number, attributes: MetricAttributes): void {
    this.#do((metrics) => metrics.add(name, value, attributes));
  }

  record(name: Parameters<Metrics['record']>[0], seconds: number, attributes: MetricAttributes): void {
    this.#do((metrics) => metrics.record(name, seconds, attributes));
  }

  set(gauges: readonly GaugeValue[]): void {
    this.#do((metrics) => metrics.set(gauges));
  }

  async close(): Promise<void> {
    await this.#target?.close();
  }

  #do(measure: (metrics: Metrics) => void): void {
    if (this.#target !== undefined) measure(this.#target);
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(measure);
  }
}
