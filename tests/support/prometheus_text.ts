/**
 * Reads Prometheus text (exposition format 0.0.4) and throws at whatever a scraper would refuse or misread: a series twice, a
 * family in two places, a histogram whose buckets go down or do not end in its count.
 */
import assert from "node:assert/strict";

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;

export function readPrometheus(text: string): Sample[] {
  assert.ok(text.endsWith("\n"), "The last line has no end");
  const kinds = new Map<string, string>();
  const helps = new Set<string>();
  const seen = new Set<string>();
  const samples: Sample[] = [];
  let family = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, comment, about, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (comment === "HELP") {
      assert.ok(!helps.has(about), `A second HELP of ${about}`);
      helps.add(about);
    } else if (comment === "TYPE") {
      assert.ok(!kinds.has(about), `A second TYPE of ${about}`);
      assert.match(rest, /^(counter|gauge|histogram)$/);
      kinds.set(about, rest);
      family = about;
    } else {
      const sample = readSample(line);
      assert.equal(familyOf(sample.name, kinds), family, `${line} is not in its family`);
      const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
      assert.ok(!seen.has(key), `Twice: ${line}`);
      seen.add(key);
      samples.push(sample);
    }
  }
  for (const [name, kind] of kinds) {
    assert.ok(helps.has(name), `No HELP of ${name}`);
    if (kind === "counter") assert.match(name, /_total$/);
    if (kind === "histogram") checkHistogram(name, samples);
  }
  return samples;
}

function readSample(line: string): Sample {
  const [, name, labelText = "", valueText] = SAMPLE.exec(line) ??
    assert.fail(`No sample: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const [, label, value] = LABEL.exec(labelText) ?? assert.fail(`Malformed labels: ${line}`);
    assert.ok(!(label in labels), `Label ${label} twice: ${line}`);
    labels[label] = value.replace(/\\(.)/g, (_, sign) => sign === "n" ? "\n" : sign);
  }
  const value = Number(valueText);
  assert.ok(Number.isFinite(value) && value >= 0, `No value: ${line}`);
  return { name, labels, value };
}

function familyOf(name: string, kinds: ReadonlyMap<string, string>): string {
  const base = name.replace(/_(bucket|sum|count)$/, "");
  return kinds.get(base) === "histogram" ? base : name;
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const bySeries = new Map<string, Sample[]>();
  for (const sample of samples.filter((sample) => sample.name === `${name}_bucket`)) {
    const { le, ...labels } = sample.labels;
    assert.ok(le !== undefined, `A bucket of ${name} without le`);
    const key = JSON.stringify(labels);
    bySeries.set(key, [...(bySeries.get(key) ?? []), sample]);
  }
  for (const [key, buckets] of bySeries) {
    let bound = -Infinity;
    let count = 0;
    for (const { labels, value } of buckets) {
      const next = labels.le === "+Inf" ? Infinity : Number(labels.le);
      assert.ok(next > bound && value >= count, `Buckets of ${name}${key} go down`);
      bound = next;
      count = value;
    }
    assert.equal(bound, Infinity, `${name}${key} has no +Inf bucket`);
    const total = samples.find((sample) =>
      sample.name === `${name}_count` && JSON.stringify(sample.labels) === key
    );
    assert.equal(total?.value, count, `The count of ${name}${key}`);
  }
}
