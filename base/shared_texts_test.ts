import { equal } from "node:assert/strict";
import { SHARED_TEXTS_MAX } from "./limits.ts";
import { SharedTexts } from "./shared_texts.ts";

Deno.test("shared texts: a text is what it was, also once more have come than are kept", () => {
  const texts = new SharedTexts();
  for (let i = 0; i < 2 * SHARED_TEXTS_MAX; i++) equal(texts.of(`text ${i}`), `text ${i}`);
  equal(texts.of("text 0"), "text 0");
});
