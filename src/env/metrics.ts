import {
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client';
import { invariant } from '../model/errors.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface MetricDefinition {
  /**
   * Without the prefix `caskade_`, in snake case, the base unit last (`_seconds`, `_bytes`, `_ratio`); a counter ends
   * in `_total`.
   */
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  /** Asked at each scrape: for what is counted elsewhere anyway, so that the hot path pays nothing for being watched. */
  readonly collect?: () => number | Iterable<Sample>;
}

export interface HistogramDefinition extends Omit<MetricDefinition, 'collect'> {
  /** Upper bounds in the base unit, ascending. */
  readonly buckets: readonly number[];
}

export interface Counter {
  increment(by?: number, labels?: Labels): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** The door to the watchers. A name is registered once; a second time is a bug and throws. */
export interface Metrics {
  counter(definition: MetricDefinition): Counter;
  gauge(definition: MetricDefinition): Gauge;
  histogram(definition: HistogramDefinition): Histogram;
  /** Of `text()`. */
  readonly contentType: string;
  /** Everything, as Prometheus scrapes it. */
  text(): Promise<string>;
}

const PREFIX = 'caskade_';
const NAME = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
const DERIVED_UNIT =
  /_(ms|milliseconds|us|microseconds|ns|nanoseconds|minutes|hours|kb|kib|mb|mib|gb|gib|percent)(_total)?$/;

interface Resettable {
  reset(): void;
}

/** Own registry: nothing of another library's metrics, and two servers in one process do not meet. */
export class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  counter(definition: MetricDefinition): Counter {
    invariant(definition.name.endsWith('_total'), `the counter ${definition.name} has to end in _total`);
    const counter: PromCounter = new PromCounter({
      ...this.#configuration(definition),
      ...collecting(
        definition,
        () => counter,
        (value, labels) => counter.inc(labels, value),
      ),
    });
    return { increment: (by = 1, labels = {}) => counter.inc(labels, by) };
  }

  gauge(definition: MetricDefinition): Gauge {
    const gauge: PromGauge = new PromGauge({
      ...this.#configuration(definition),
      ...collecting(
        definition,
        () => gauge,
        (value, labels) => gauge.set(labels, value),
      ),
    });
    return { set: (value, labels = {}) => gauge.set(labels, value) };
  }

  histogram(definition: HistogramDefinition): Histogram {
    const buckets = [...definition.buckets];
    const histogram = new PromHistogram({ ...this.#configuration(definition), buckets });
    return { observe: (value, labels = {}) => histogram.observe(labels, value) };
  }

  #configuration(definition: Pick<MetricDefinition, 'name' | 'help' | 'labelNames'>) {
    const { name, help } = definition;
    invariant(NAME.test(name), `the metric name ${name} has to be snake case`);
    invariant(!name.startsWith(PREFIX), `the metric name ${name} gets its prefix here`);
    invariant(!DERIVED_UNIT.test(name), `the metric ${name} has to use a base unit (seconds, bytes, ratio)`);
    return {
      name: PREFIX + name,
      help,
      labelNames: [...(definition.labelNames ?? [])],
      registers: [this.#registry],
    };
  }
}

/** A collected metric is rebuilt at each scrape, so that a sample that is gone does not stay for ever. */
function collecting(
  definition: MetricDefinition,
  metric: () => Resettable,
  put: (value: number, labels: Labels) => void,
): { collect?: () => void } {
  const { collect } = definition;
  if (collect === undefined) return {};
  return {
    collect: () => {
      const collected = collect();
      metric().reset();
      if (typeof collected === 'number') put(collected, {});
      else for (const sample of collected) put(sample.value, sample.labels);
    },
  };
}

/** Watches nothing. */
export class NullMetrics implements Metrics {
  readonly contentType = 'text/plain';

  counter(): Counter {
    return { increment: () => {} };
  }

  gauge(): Gauge {
    return { set: () => {} };
  }

  histogram(): Histogram {
    return { observe: () => {} };
  }

  async text(): Promise<string> {
    return '';
  }
}
