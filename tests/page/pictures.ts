/** Pictures of the page for the documents: taken by the tests, and kept where `WEFT_PICTURES=update` asks for it. */
import type { Page } from "playwright-core";
import { ROOT } from "../../tools/repository.ts";

const FOLDER = "docs/images/";

/** Keeps `docs/images/playground-NAME.png`. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  if (Deno.env.get("WEFT_PICTURES") !== "update") return;
  await Deno.mkdir(new URL(FOLDER, ROOT), { recursive: true });
  await page.mouse.move(0, 0);
  await Deno.writeFile(
    new URL(`${FOLDER}playground-${name}.png`, ROOT),
    await page.screenshot({ animations: "disabled", caret: "hide" }),
  );
}
