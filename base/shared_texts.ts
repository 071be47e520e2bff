/** SharedTexts: equal texts as one text in memory, where few different ones come again and again. */
import { SHARED_TEXTS_MAX } from "./limits.ts";

export class SharedTexts {
  readonly #known = new Map<string, string>();

  /** The text, as it was when it came first. */
  of(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    // Those in use stay what they are; only later ones are other texts.
    if (this.#known.size >= SHARED_TEXTS_MAX) this.#known.clear();
    this.#known.set(text, text);
    return text;
  }
}
