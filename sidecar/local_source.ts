/** LocalSource: a source of plans in this process, fed with parts or with plan files. It answers at once, from the first plan on. */
import type { Part, PartKey, PlanHeader } from "../routing/parts.ts";
import { MeshParts, type MeshSession } from "../routing/source/mesh.ts";
import type {
  PlanSource,
  SourceConnection,
  SourceListener,
  SourceRequest,
} from "../routing/source/messages.ts";
import type { PlanFile } from "./plan_file.ts";

export class LocalSource implements PlanSource {
  #mesh: MeshParts | null = null;
  #file: PlanFile | null = null;
  /** What connections began with before there was a plan. */
  readonly #waiting = new Set<() => void>();

  /** There has been a plan. */
  get isOpen(): boolean {
    return this.#mesh !== null;
  }

  /** These parts are others now; undefined: gone. Every connection has been told of it when this returns. */
  change(changes: Iterable<readonly [PartKey, Part | undefined]>, header: PlanHeader): void {
    this.#meshUnder(header).change(changes, header);
    this.#openWaiting();
  }

  /** The same of a plan file, whose parts are read when they are asked for. */
  setFile(file: PlanFile): void {
    const changed = file.differences(this.#file);
    this.#file = file;
    this.#meshUnder(file.header).replace(file, changed);
    this.#openWaiting();
  }

  #meshUnder(header: PlanHeader): MeshParts {
    return this.#mesh ??= new MeshParts(header);
  }

  #openWaiting(): void {
    for (const open of this.#waiting) {
      this.#waiting.delete(open);
      open();
    }
  }

  connect(listener: SourceListener): SourceConnection {
    const requests: SourceRequest[] = [];
    let session: MeshSession | null = null;
    const guarded = (work: () => void) => {
      try {
        work();
      } catch (error) {
        // A file that is being changed has no parts to be told of.
        session?.close();
        listener.lost(error instanceof Error ? error.message : String(error));
      }
    };
    const take = (request: SourceRequest) => guarded(() => session?.take(request));
    const open = () => {
      const opened = this.#mesh?.open(() =>
        guarded(() => {
          for (let update = opened?.next(); update; update = opened?.next()) {
            listener.update(update);
          }
        })
      );
      session = opened ?? null;
      for (const request of requests.splice(0)) take(request);
    };
    if (this.#mesh === null) this.#waiting.add(open);
    else open();
    return {
      send: (request) => session === null ? void requests.push(request) : take(request),
      close: () => {
        this.#waiting.delete(open);
        session?.close();
      },
    };
  }
}
