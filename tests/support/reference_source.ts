/**
 * ReferenceSource: a source that does what sources may do, and answers when it is told to: late, questions in another order than they were
 * asked in, messages twice, and never again once its connection is lost. Everything passes through JSON, as between machines.
 */
import type { Random } from "../../base/random.ts";
import type { MeshParts, MeshSession } from "../../routing/source/mesh.ts";
import type { SourceRequest, SourceUpdate } from "../../routing/source/messages.ts";
import { decodeRequest, decodeUpdate } from "../../routing/source/wire.ts";

export class ReferenceSource {
  readonly #random: Random;
  readonly #onUpdate: (update: SourceUpdate) => void;
  readonly #session: MeshSession;
  /** On their way to it, and from it. */
  readonly #requests: SourceRequest[] = [];
  readonly #updates: string[] = [];
  #hasNews = false;
  #isLost = false;

  /** @param onUpdate told of each message that arrives */
  constructor(mesh: MeshParts, random: Random, onUpdate: (update: SourceUpdate) => void) {
    this.#random = random;
    this.#onUpdate = onUpdate;
    this.#session = mesh.open(() => {
      this.#hasNews = true;
    });
  }

  send(request: SourceRequest): void {
    const decoded = decodeRequest(JSON.stringify(request));
    if (!decoded.ok) throw new Error(decoded.problem);
    const { ask, drop, held } = decoded.message;
    // The first message is one, and what is dropped comes after it was asked. Else every question goes its own way.
    if (held !== undefined || drop.length > 0) {
      this.#requests.push({ ask, drop, ...(held === undefined ? {} : { held }) });
    } else for (const question of ask) this.#requests.push({ ask: [question], drop: [] });
  }

  /** Nothing is on its way. What the mesh has to tell may not be written yet. */
  get isIdle(): boolean {
    return this.#isLost || (!this.#hasNews && this.#requests.length + this.#updates.length === 0);
  }

  /** Something happens, or nothing. */
  step(): void {
    if (this.#isLost) return;
    switch (this.#random.below(4)) {
      case 0:
        return this.#take();
      case 1:
        return this.#write();
      case 2:
        return this.#deliver(false);
      case 3:
        return this.#deliver(this.#random.below(4) === 0);
    }
  }

  /** All that can happen happens. */
  settle(): void {
    while (!this.#isLost && this.#requests.length > 0) this.#take();
    do this.#write(); while (this.#hasNews);
    while (!this.#isLost && this.#updates.length > 0) this.#deliver(false);
  }

  /** What was on its way is lost. */
  lose(): void {
    this.#isLost = true;
    this.#session.close();
  }

  #take(): void {
    const { length } = this.#requests;
    if (length === 0) return;
    // Questions overtake each other, but nothing overtakes what is dropped, or the first message.
    const bound = this.#requests.findIndex(({ drop, held }) =>
      drop.length > 0 || held !== undefined
    );
    const among = bound === -1 ? length : Math.max(bound, 1);
    const [request] = this.#requests.splice(this.#random.below(among), 1);
    this.#session.take(request);
  }

  #write(): void {
    const update = this.#session.next();
    this.#hasNews = update !== null;
    if (update !== null) this.#updates.push(JSON.stringify(update));
  }

  #deliver(isTwice: boolean): void {
    const text = this.#updates.shift();
    if (text === undefined) return;
    for (let left = isTwice ? 2 : 1; left > 0 && !this.#isLost; left--) {
      const decoded = decodeUpdate(text);
      if (!decoded.ok) throw new Error(decoded.problem);
      this.#onUpdate(decoded.message);
    }
  }
}
