/** The page of `weft up` in a real browser: the mesh's own manifests as they change, and its traffic by edge. */
import assert from "node:assert/strict";
import { curl, WeftProcess } from "../e2e/weft_process.ts";
import { ROOT } from "../../tools/repository.ts";
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { CHROMIUM, openPage, startBrowser } from "./browser.ts";
import { keepPicture } from "./pictures.ts";

Deno.test({
  name: "up: the page has the files of the mesh, follows them, and shows who calls whom",
  ignore: CHROMIUM === null,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const folder = await Deno.makeTempDir();
    for (
      const name of [
        "curl",
        "httpbin",
        "httpbin-v1",
        "httpbin-v2",
        "namespaces",
        "routes",
        "splits",
      ]
    ) {
      await Deno.copyFile(new URL(`examples/canary/${name}.yaml`, ROOT), `${folder}/${name}.yaml`);
    }
    const weft = new WeftProcess(["up", "-q", "--port", "0", "--admin", "127.0.0.1:0", folder]);
    const browser = await startBrowser();
    try {
      const { match } = await weft.printed(/Page: +(http:\/\/\S+)/);
      await weft.printed(/Ctrl-C ends/);
      const proxy = /^ {2}curl +http:\/\/(\S+)$/m.exec(weft.output)?.[1] ?? "";
      await curl(proxy, Array(8).fill("http://httpbin.httpbin:8080/test"));
      await using opened = await openPage(browser, match[1], {
        viewport: { width: 1180, height: 1060 },
      });
      const { page, faults } = opened;

      await page.getByRole("combobox", { name: "URL" }).fill("http://httpbin.httpbin:8080/test");
      const rows = () =>
        page.locator(".traffic tbody tr").evaluateAll((all) =>
          all.map((row) => [0, 1, 2].map((index) => row.children[index].textContent).join(" "))
        );
      await page.locator(".traffic tbody tr").nth(1).waitFor();
      assert.deepEqual(await rows(), [
        "curl/curl httpbin/httpbin-v1 6",
        "curl/curl httpbin/httpbin-v2 2",
      ]);
      await curl(proxy, Array(40).fill("http://httpbin.httpbin:8080/test"));
      await page.locator(".traffic tbody tr td", { hasText: /^36$/ }).waitFor();
      await page.locator(".verdict", { hasText: "httpbin" }).waitFor();
      await page.getByRole("combobox", { name: "URL" }).blur();
      await keepPicture(page, "up");

      // An edit of a file is on the page by itself.
      const file = `${folder}/splits.yaml`;
      const text = await Deno.readTextFile(file);
      await page.getByRole("tab", { name: /splits\.yaml/ }).click();
      await Deno.writeTextFile(file, text.replace("weight: 75", "weight: 0"));
      await page.locator(".verdict", { hasText: "httpbin/httpbin-v2" }).waitFor();
      // An edit on the page stays there, until it is taken back.
      const editor = page.getByRole("textbox", { name: /^Text of .*splits\.yaml/ });
      await editor.fill(text.replace("weight: 25", "weight: 0"));
      await page.locator(".verdict", { hasText: "httpbin/httpbin-v1" }).waitFor();
      await page.getByRole("button", { name: "Back to the mesh" }).click();
      await page.locator(".verdict", { hasText: "httpbin/httpbin-v2" }).waitFor();
      assert.match(await Deno.readTextFile(file), /weight: 0\n[^]*weight: 25/);
      assert.deepEqual(faults, []);

      // By another name than this machine's, nothing of the manifests is told.
      using stranger = await RawSocket.connect(Number(new URL(match[1]).port));
      await stranger.send("GET /playground/manifests HTTP/1.1\r\nHost: evil.example\r\n\r\n");
      assert.equal(statusOf(await stranger.readResponse()), 403);
    } finally {
      await browser.close();
      await weft.stop();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
