/** TapFilter: which records a tap takes, as the query of `/tap` says. */
import { type Plan, routingsOf } from "../../routing/plan.ts";
import { refText } from "../../routing/table/explanation.ts";
import type { RequestRecord } from "./request_record.ts";

type Test = (record: RequestRecord) => boolean;

export interface TapFilter {
  /** All of them hold for what is taken. */
  readonly tests: readonly Test[];
  /** Headers of requests, in lower case, that records have to have because a test looks at them. */
  readonly headers: readonly string[];
  /** Records after which the stream ends. */
  readonly limit: number;
}

/** What a parameter has to look like: nothing else can ever be in a record. */
interface Shape {
  readonly pattern: RegExp;
  readonly wanted: string;
}

const NAME = { pattern: /^[^\s/:]+\/[^\s/:]+$/, wanted: "like NAMESPACE/NAME" };
const SHAPES: Readonly<Record<string, Shape>> = {
  method: { pattern: /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, wanted: "like GET" },
  path: { pattern: /^(?:\/[^\s#]*|\*)$/, wanted: "the beginning of a path, like /api" },
  authority: { pattern: /^[^\s/@]+$/, wanted: "a host, like web.shop or web.shop:80" },
  service: {
    pattern: /^[^\s/:]+\/[^\s/:]+(?::\d{1,5})?$/,
    wanted: "like NAMESPACE/NAME or NAMESPACE/NAME:PORT",
  },
  backend: NAME,
  split: NAME,
  route: {
    pattern: /^[^\s/]+\/[^\s/]+(?:\/[^\s/]+)?$/,
    wanted: "like NAMESPACE/HTTPROUTEGROUP or NAMESPACE/HTTPROUTEGROUP/MATCH",
  },
  source: {
    pattern: /^(?:[a-z0-9.-]+(?:\/[a-z0-9.-]+)?|[0-9a-fA-F:.]+)$/,
    wanted: "like NAMESPACE, NAMESPACE/SERVICEACCOUNT or an IP address",
  },
};

/** By parameter: the test that its value asks for, or what is wrong with it. */
const TESTS: Readonly<Record<string, (value: string) => Test | string>> = {
  method: (value) => ({ method }) => method === value.toUpperCase(),
  path: (value) => ({ path }) => path.startsWith(value),
  authority: (value) => ({ authority }) => isOf(authority.toLowerCase(), value.toLowerCase(), ":"),
  status: statusTest,
  service: (value) => ({ service }) => isOf(service, value, ":"),
  backend: (value) => ({ backend }) => backend === value,
  route: (value) => ({ rule }) => isOf(rule, value, "/"),
  split: (value) => ({ split }) => split === value,
  source: (value) => ({ source, peer }) => isOf(source, value, "/") || peer === value,
  header: headerTest,
};

const TAP_PARAMETERS: readonly string[] = [...Object.keys(TESTS), "limit"];

/** The filter that a query asks for, or what is wrong with it. */
export function parseTapFilter(parameters: URLSearchParams): TapFilter | string {
  const tests: Test[] = [];
  const headers: string[] = [];
  let limit = Infinity;
  for (const [name, value] of parameters) {
    if (name !== "header" && parameters.getAll(name).length > 1) return `${name} is there twice`;
    if (value === "") return `${name} is empty`;
    if (name === "limit") {
      if (!/^[1-9]\d{0,8}$/.test(value)) return "limit is a whole number from 1";
      limit = Number(value);
      continue;
    }
    if (!Object.hasOwn(TESTS, name)) {
      return `Unknown parameter: ${name}; there are ${TAP_PARAMETERS.join(", ")}`;
    }
    const shape = Object.hasOwn(SHAPES, name) ? SHAPES[name] : null;
    if (shape?.pattern.test(value) === false) return `${name} is ${shape.wanted}`;
    const test = TESTS[name](value);
    if (typeof test === "string") return test;
    tests.push(test);
    if (name === "header") headers.push(headerParts(value)[0]);
  }
  return contradictionIn(parameters) ?? { tests, headers, limit };
}

/** Why no record can have all that is asked for; null: one can. */
function contradictionIn(parameters: URLSearchParams): string | null {
  const method = parameters.get("method")?.toUpperCase();
  if (method === "CONNECT" && parameters.has("path")) return "CONNECT has no path";
  if (method === "TCP") {
    // A relayed connection is no request.
    const other = ["path", "header", "route", "status"].find((name) => parameters.has(name));
    if (other !== undefined) return `A connection (method TCP) has no ${other}`;
  }
  const wanted = new Map<string, string>();
  for (const header of parameters.getAll("header")) {
    const [name, value] = headerParts(header);
    if (value === null) continue;
    if ((wanted.get(name) ?? value) !== value) return `header ${name} cannot have two values`;
    wanted.set(name, value);
  }
  return null;
}

/** What is asked for by name and the plan does not have, most likely misspelt; null: it has all of it. */
export function unknownIn(parameters: URLSearchParams, { services }: Plan): string | null {
  const asked = ["service", "backend", "split", "route"].flatMap((name) =>
    parameters.has(name) ? [[name, parameters.get(name) ?? ""] as const] : []
  );
  if (asked.length === 0) return null;
  const known = new Map<string, Set<string>>(asked.map(([name]) => [name, new Set()]));
  const note = (name: string, text: string) => known.get(name)?.add(text);
  for (const { namespace, name, ports } of services) {
    const service = `${namespace}/${name}`;
    note("service", service);
    // A call to one of its pods goes to the Service itself.
    note("backend", service);
    for (const { port } of ports) note("service", `${service}:${port}`);
    for (const { rules, fallback } of ports.flatMap(routingsOf)) {
      for (const { match: { group, name } } of rules) {
        note("route", refText(group));
        note("route", `${refText(group)}/${name}`);
      }
      for (const route of [fallback, ...rules.map(({ route }) => route)]) {
        if (route.split !== null) note("split", refText(route.split));
        for (const backend of route.backends) {
          note("backend", `${backend.namespace}/${backend.service}`);
        }
      }
    }
  }
  const missing = asked.find(([name, value]) => known.get(name)?.has(value) === false);
  return missing === undefined ? null : `The plan in force has no ${missing[0]} ${missing[1]}`;
}

export function matchesTap({ tests }: TapFilter, record: RequestRecord): boolean {
  return tests.every((test) => test(record));
}

/** `503`, or `5xx` for its class. */
function statusTest(value: string): Test | string {
  if (/^[1-9]xx$/.test(value)) return ({ status }) => Math.trunc(status / 100) === Number(value[0]);
  // 0 is a relayed connection's.
  if (/^(?:0|[1-9]\d\d)$/.test(value)) return ({ status }) => status === Number(value);
  return "status is like 503 or 5xx";
}

/** `Name: value`, or a name alone for any value. */
function headerTest(value: string): Test | string {
  const [name, wanted] = headerParts(value);
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) return "header is like `Name: value`, or a name";
  return ({ headers }) =>
    Object.hasOwn(headers, name) && (wanted === null || headers[name] === wanted);
}

function headerParts(text: string): [name: string, value: string | null] {
  const colon = text.indexOf(":");
  if (colon < 0) return [text.trim().toLowerCase(), null];
  return [text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()];
}

/** Whether a name is the one asked for, or one below it: `shop/web` takes `shop/web:80` with `:` between. */
function isOf(name: string, asked: string, separator: string): boolean {
  return name === asked || name.startsWith(asked + separator);
}
