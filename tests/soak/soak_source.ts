/**
 * SoakSource: the source of the soak's plans. It is slow, answers out of order and sends messages twice, and every few seconds it is lost
 * with all that was on its way.
 */
import type { Random } from "../../base/random.ts";
import type { MeshParts } from "../../routing/source/mesh.ts";
import type {
  PlanSource,
  SourceConnection,
  SourceListener,
  SourceRequest,
} from "../../routing/source/messages.ts";
import { ReferenceSource } from "../support/reference_source.ts";

/** Between two things that happen. */
const STEP_MS_MAX = 10;
/** One step in so many loses the connection: every few seconds. */
const STEPS_TO_LOSS = 500;

export class SoakSource implements PlanSource {
  readonly #mesh: MeshParts;
  readonly #random: Random;
  losses = 0;

  constructor(mesh: MeshParts, random: Random) {
    this.#mesh = mesh;
    this.#random = random;
  }

  connect(listener: SourceListener): SourceConnection {
    const connection = new ReferenceSource(this.#mesh, this.#random, (update) => {
      listener.update(update);
    });
    let isOver = false;
    const step = () => {
      if (isOver) return;
      if (this.#random.below(STEPS_TO_LOSS) === 0) {
        isOver = true;
        connection.lose();
        this.losses++;
        return listener.lost("lost by the soak");
      }
      connection.step();
      setTimeout(step, this.#random.below(STEP_MS_MAX));
    };
    setTimeout(step);
    return {
      send: (request: SourceRequest) => connection.send(request),
      close() {
        isOver = true;
        connection.lose();
      },
    };
  }
}
