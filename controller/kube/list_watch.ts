/**
 * ListWatch: tells of all objects of one kind and version, whatever becomes of the connection and of the API server:
 * a list in pages, then a watch with bookmarks, a new list where the server has forgotten, and a deadline for silence.
 */
import { Backoff, pause } from "../../base/backoff.ts";
import { readLines, SilenceWatch } from "../../base/lines.ts";
import {
  EVENT_BYTES_MAX,
  PAGE_OBJECTS,
  RETRY_MS_MAX,
  RETRY_MS_MIN,
  WATCH_MS_MIN,
  WATCH_SECONDS_MAX,
  WATCH_SECONDS_MIN,
  WATCH_SILENCE_MS,
  WATCHES_SILENT_MAX,
} from "../limits.ts";
import { type KubeClient, KubeError } from "./client.ts";
import { fieldsOf, type JsonFields, textField } from "./fields.ts";

interface ListWatchParts {
  readonly client: KubeClient;
  /** `/apis/GROUP/VERSION/PLURAL`. */
  readonly path: string;
  /** Of every object; lists leave it out. */
  readonly apiVersion: string;
  readonly kind: string;
  /** Only the metadata of each. */
  readonly isMetadataOnly?: boolean;
  /** It is new or another now. */
  readonly put: (key: string, object: JsonFields) => void;
  readonly remove: (key: string) => void;
  /** All that there is has been put; again after each new list. */
  readonly onSynced: () => void;
  readonly onTrouble: (error: unknown) => void;
  /** The API server has answered. */
  readonly onWell: () => void;
  /** A list or a watch begins again after the first. */
  readonly onRestart: () => void;
  /** How long a watch may say nothing, not even a bookmark. */
  readonly silenceMs?: number;
}

/** The API server has forgotten what came after the version that the watch began with. */
class Forgotten extends Error {}

export class ListWatch {
  readonly #parts: ListWatchParts;
  readonly #ended = new AbortController();
  readonly #backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX);
  #keys = new Set<string>();
  /** Empty: a list comes first. */
  #version = "";
  /** Watches in a row that have told of nothing. */
  #silent = 0;
  readonly #running: Promise<void>;

  constructor(parts: ListWatchParts) {
    this.#parts = parts;
    this.#running = this.#run();
  }

  /** Nothing is told any more. */
  stop(): Promise<void> {
    this.#ended.abort();
    return this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      if (!isFirst) this.#parts.onRestart();
      try {
        if (this.#version === "") await this.#list();
        await this.#watch();
        continue;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Forgotten || isGone(error)) this.#version = "";
        else this.#parts.onTrouble(error);
      }
      await pause(this.#backoff.nextMs(), signal);
    }
  }

  async #list(): Promise<void> {
    const { client, put, remove, onSynced } = this.#parts;
    const { signal } = this.#ended;
    const seen = new Set<string>();
    let version = "";
    for (let next: string | undefined = ""; next !== undefined;) {
      const query = new URLSearchParams({ limit: String(PAGE_OBJECTS) });
      if (next !== "") query.set("continue", next);
      const page = fieldsOf(
        await client.call("GET", `${this.#parts.path}?${query}`, {
          accept: this.#accept("PartialObjectMetadataList"),
          signal,
        }),
      );
      for (const item of Array.isArray(page["items"]) ? page["items"] : []) {
        const object = this.#typed(fieldsOf(item));
        const key = keyOf(object);
        seen.add(key);
        this.#keys.add(key);
        put(key, object);
      }
      const metadata = fieldsOf(page["metadata"]);
      version = textField(metadata, "resourceVersion") ?? "";
      next = textField(metadata, "continue");
    }
    for (const key of this.#keys) if (!seen.has(key)) remove(key);
    this.#keys = seen;
    this.#version = version;
    this.#parts.onWell();
    onSynced();
  }

  /** Returns where the API server ends it in order. */
  async #watch(): Promise<void> {
    const seconds = WATCH_SECONDS_MIN +
      Math.floor(Math.random() * (WATCH_SECONDS_MAX - WATCH_SECONDS_MIN));
    const query = new URLSearchParams({
      watch: "1",
      allowWatchBookmarks: "true",
      resourceVersion: this.#version,
      timeoutSeconds: String(seconds),
    });
    const { signal: ended } = this.#ended;
    // A list that was answered as the end came: the watch after it would hear of no end.
    if (ended.aborted) return;
    const over = new AbortController();
    const stop = () => over.abort();
    ended.addEventListener("abort", stop);
    const startedMs = performance.now();
    try {
      const stream = await this.#parts.client.watch(`${this.#parts.path}?${query}`, {
        accept: this.#accept("PartialObjectMetadata"),
        signal: over.signal,
      });
      this.#parts.onWell();
      await this.#hear(stream, over);
    } finally {
      ended.removeEventListener("abort", stop);
      stop();
      if (performance.now() - startedMs >= WATCH_MS_MIN) this.#backoff.reset();
    }
    if (performance.now() - startedMs >= WATCH_MS_MIN) return;
    throw new Error("The API server ended a watch that had just begun");
  }

  /** Returns where the stream ends, or has been silent for long. */
  async #hear(stream: AsyncIterable<Uint8Array>, over: AbortController): Promise<void> {
    let isSilent = false;
    let hasHeard = false;
    const silence = new SilenceWatch(this.#parts.silenceMs ?? WATCH_SILENCE_MS, () => {
      isSilent = true;
      over.abort();
    });
    try {
      for await (const line of readLines(stream, () => EVENT_BYTES_MAX)) {
        silence.heard();
        hasHeard = true;
        if (line !== "") this.#take(fieldsOf(JSON.parse(line)));
      }
    } catch (error) {
      if (!isSilent) throw error;
    } finally {
      silence.stop();
    }
    // A version of the future, from a store that was set back, is waited for in silence.
    this.#silent = hasHeard ? 0 : this.#silent + 1;
    if (this.#silent < WATCHES_SILENT_MAX) return;
    this.#silent = 0;
    this.#version = "";
  }

  #take(event: JsonFields): void {
    const object = fieldsOf(event["object"]);
    if (event["type"] === "ERROR") {
      const code = Number(object["code"]);
      const message = textField(object, "message") ?? `error ${code}`;
      throw code === 410 ? new Forgotten(message) : new KubeError(code, message);
    }
    this.#version = textField(fieldsOf(object["metadata"]), "resourceVersion") ?? this.#version;
    if (event["type"] === "BOOKMARK") return;
    const key = keyOf(object);
    if (event["type"] === "DELETED") {
      this.#keys.delete(key);
      this.#parts.remove(key);
    } else {
      this.#keys.add(key);
      this.#parts.put(key, this.#typed(object));
    }
  }

  #typed(object: JsonFields): JsonFields {
    return { ...object, apiVersion: this.#parts.apiVersion, kind: this.#parts.kind };
  }

  #accept(kind: string): string {
    return this.#parts.isMetadataOnly === true
      ? `application/json;as=${kind};g=meta.k8s.io;v=v1`
      : "application/json";
  }
}

/** `namespace/name`, or `name`. */
function keyOf(object: JsonFields): string {
  const metadata = fieldsOf(object["metadata"]);
  const namespace = textField(metadata, "namespace");
  const name = textField(metadata, "name") ?? "";
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The version is too old (410), or newer than what the server has (504 with this reason). */
function isGone(error: unknown): boolean {
  return error instanceof KubeError &&
    (error.status === 410 || /too large resource version/i.test(error.message));
}
