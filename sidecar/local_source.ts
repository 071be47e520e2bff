/** LocalSource: a source of plans in this process, fed with whole plans. It answers at once, from the first plan on. */
import { isSameData } from "../base/same_data.ts";
import { type Part, type PartKey, partsOf, planHeaderOf } from "../routing/parts.ts";
import type { Plan } from "../routing/plan.ts";
import { MeshParts } from "../routing/source/mesh.ts";
import type {
  PlanSource,
  SourceConnection,
  SourceListener,
  SourceRequest,
} from "../routing/source/messages.ts";

export class LocalSource implements PlanSource {
  #mesh: MeshParts | null = null;
  #keys: ReadonlySet<PartKey> = new Set();
  /** What connections began with before there was a plan. */
  readonly #waiting = new Set<() => void>();

  /** There has been a plan. */
  get isOpen(): boolean {
    return this.#mesh !== null;
  }

  /** This is what the mesh is now. Every connection has been told of what is different when this returns. */
  set(plan: Plan): void {
    const header = planHeaderOf(plan);
    const parts = partsOf(plan);
    const changes = new Map<PartKey, Part | undefined>();
    for (const key of this.#keys) if (!parts.has(key)) changes.set(key, undefined);
    // What is equal stays the same object, and so is no change.
    for (const [key, part] of parts) {
      if (!isSameData(this.#mesh?.at(key), part)) changes.set(key, part);
    }
    this.#keys = new Set(parts.keys());
    const isFirst = this.#mesh === null;
    this.#mesh ??= new MeshParts(header);
    this.#mesh.change(changes, header);
    if (!isFirst) return;
    for (const open of this.#waiting) open();
    this.#waiting.clear();
  }

  connect(listener: SourceListener): SourceConnection {
    const requests: SourceRequest[] = [];
    let send = (request: SourceRequest): void => void requests.push(request);
    let close = (): void => void this.#waiting.delete(open);
    const open = () => {
      if (this.#mesh === null) return;
      const session = this.#mesh.open(() => {
        for (let update = session.next(); update !== null; update = session.next()) {
          listener.update(update);
        }
      });
      send = (request) => session.take(request);
      close = () => session.close();
      for (const request of requests) session.take(request);
    };
    if (this.#mesh === null) this.#waiting.add(open);
    else open();
    return { send: (request) => send(request), close: () => close() };
  }
}
