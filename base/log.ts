/**
 * Log: one line an event, a constant message and fields, so that a person can read it and a machine can count it.
 * Owns the two line formats. Knows neither where lines go nor what time it is: both are handed in.
 */
import { assert } from "./assert.ts";
import { withoutFlagAdvice } from "./text.ts";

/** In rising order of weight. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

type LogFields = Readonly<Record<string, string | number | boolean>>;

export interface Log {
  /** `message` is a constant: what varies goes into `fields`. */
  write(level: LogLevel, message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log whose level can change while it is written. */
export interface LeveledLog extends Log {
  /** Lighter events are dropped. */
  level: LogLevel;
}

interface LogOptions {
  /** Lighter events are dropped. */
  readonly level: LogLevel;
  /** `json`: one object a line, `time`, `level`, `message`, then the fields. `human`: the same for people. */
  readonly format: "json" | "human";
  /** Takes one line without its line end. */
  readonly sink: (line: string) => void;
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  readonly now: () => number;
}

const RESERVED = ["time", "level", "message"];

/** Makes a log that writes to `options.sink`. */
export function createLog(options: LogOptions): LeveledLog {
  const format = options.format === "json" ? formatJson : formatHuman;
  const write = (level: LogLevel, message: string, fields: LogFields = {}) => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(log.level)) return;
    options.sink(withoutFlagAdvice(format(new Date(options.now()), level, message, fields)));
  };
  const log: LeveledLog = {
    level: options.level,
    write,
    debug: (message, fields) => write("debug", message, fields),
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
  };
  return log;
}

function formatJson(time: Date, level: LogLevel, message: string, fields: LogFields): string {
  for (const key of RESERVED) assert(!Object.hasOwn(fields, key), `Log field "${key}" is reserved`);
  return JSON.stringify({ time: time.toISOString(), level, message, ...fields });
}

function formatHuman(time: Date, level: LogLevel, message: string, fields: LogFields): string {
  let line = `${time.toISOString().slice(11, 23)} ${level.padEnd(5)} ${message}`;
  for (const [key, value] of Object.entries(fields)) line += ` ${key}=${formatValue(value)}`;
  return line;
}

/** Quoted unless it is plainly one word: a value off the wire cannot forge a field, a line or a colour. */
function formatValue(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  if (/^[\w./:@%+,*~-]+$/.test(value)) return value;
  // JSON leaves DEL and the C1 controls as they are, and a terminal obeys those.
  return JSON.stringify(value).replace(/\p{Cc}/gu, escapeControl);
}

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
