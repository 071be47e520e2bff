/**
 * PlanKeeper: keeps what a proxy holds of its plan in a directory, for its next start. The plan's own hash tells whether what
 * is read is what was written. Saving never gets in the way of serving: where it fails, that is told and counted.
 */
import type { Finding } from "../base/finding.ts";
import type { PlanKeeping } from "../proxy/observe/exposition.ts";
import type { Plan } from "../routing/plan.ts";
import { decodePlan, encodePlan } from "../routing/plan_codec.ts";

const FILE = "plan.json";
/** For the proxy's user alone: a plan says where everything of a mesh is. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** A plan that an earlier run saved. */
export interface SavedPlan {
  readonly plan: Plan;
  readonly savedAtMs: number;
}

/** What is held now. */
interface Held {
  readonly hash: string;
  /** Null: nothing. */
  readonly plan: Plan | null;
}

export class PlanKeeper {
  readonly directory: string;
  readonly #onFinding: (finding: Finding) => void;
  #savedHash = "";
  #savedAtMs: number | null = null;
  #isRestored = false;
  #failures = 0;
  /** Accepted and not saved yet. */
  #waiting: Held | null = null;
  #saving: Promise<void> | null = null;

  constructor(directory: string, onFinding: (finding: Finding) => void) {
    this.directory = directory;
    this.#onFinding = onFinding;
  }

  get keeping(): PlanKeeping {
    return {
      savedAtMs: this.#savedAtMs,
      isRestored: this.#isRestored,
      failures: this.#failures,
    };
  }

  /**
   * The plan that an earlier run saved; null if there is none.
   * @throws {Error} what is there is of no use: one line says why
   */
  async read(): Promise<SavedPlan | null> {
    const path = `${this.directory}/${FILE}`;
    let text: string;
    let savedAtMs: number;
    try {
      text = await Deno.readTextFile(path);
      savedAtMs = (await Deno.stat(path)).mtime?.getTime() ?? 0;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw new Error(`Cannot read the saved plan "${path}": ${messageOf(error)}`);
    }
    const decoded = decodePlan(text);
    if (decoded.ok) {
      this.#savedHash = decoded.plan.hash;
      this.#savedAtMs = savedAtMs;
      return { plan: decoded.plan, savedAtMs };
    }
    throw new Error(`Cannot use the saved plan "${path}": ${decoded.message}`);
  }

  /** What was saved is in force. */
  restored(): void {
    this.#isRestored = true;
  }

  /** This is held and in force, by the source. While it is written it may change; it is written once more then. */
  accepted(held: Held): void {
    this.#isRestored = false;
    this.#waiting = held;
    this.#saving ??= this.#save();
  }

  /** Resolves once nothing is being written any more. */
  async settled(): Promise<void> {
    await this.#saving;
  }

  async #save(): Promise<void> {
    // Changes that come together are written once.
    await Promise.resolve();
    for (let held = this.#waiting; held !== null; held = this.#waiting) {
      this.#waiting = null;
      const { hash, plan } = held;
      if (hash === this.#savedHash || plan === null) continue;
      this.#savedAtMs = null;
      try {
        await replaceFile(this.directory, FILE, encodePlan(plan));
        this.#savedHash = hash;
        this.#savedAtMs = Date.now();
      } catch (error) {
        this.#failures++;
        this.#onFinding(notSaved(this.directory, messageOf(error)));
      }
    }
    this.#saving = null;
  }
}

function notSaved(directory: string, reason: string): Finding {
  return {
    code: "plan-not-saved",
    severity: "warning",
    message: `The plan is served, but could not be saved in "${directory}": ${reason}`,
    hint: "A restart without the plan's source would go back to the plan that was saved before",
  };
}

/** A reader of the file sees the old text or the new one, also after a loss of power. */
async function replaceFile(directory: string, name: string, text: string): Promise<void> {
  await Deno.mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
  const path = `${directory}/${name}`;
  const temporary = `${path}.${Deno.pid}.new`;
  // What an earlier run left behind. A new file has its mode from the start and follows no link.
  await removeIfThere(temporary);
  try {
    const options = { write: true, createNew: true, mode: FILE_MODE };
    using file = await Deno.open(temporary, options);
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
    await Deno.rename(temporary, path);
  } catch (error) {
    await removeIfThere(temporary).catch(() => {});
    throw error;
  }
  await syncDirectory(directory);
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Makes a rename last. Not every system can open a directory, and then there is nothing to be done. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    using file = await Deno.open(directory);
    await file.sync();
  } catch {
    return;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
