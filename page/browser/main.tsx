/** Where the page starts. Without a document (in tests, on a server) it only hands out what answers. */
import { render } from "preact";
import { readDefinitionsFrom } from "../../schemas/crds/definitions.ts";
import { PAGE_DATA_ID, type PageData, type PageState } from "../page_data.ts";
import { answerState, compilePage } from "./answer_state.ts";
import { App } from "./app.tsx";
import { packState, unpackState } from "./state_link.ts";

declare global {
  var weftPage: {
    readDefinitionsFrom: typeof readDefinitionsFrom;
    compilePage: typeof compilePage;
    answerState: typeof answerState;
    packState: typeof packState;
    unpackState: typeof unpackState;
  };
}

globalThis.weftPage = { readDefinitionsFrom, compilePage, answerState, packState, unpackState };

async function start(): Promise<void> {
  const text = document.getElementById(PAGE_DATA_ID)?.textContent ?? "";
  const data = JSON.parse(text) as PageData;
  readDefinitionsFrom(data.definitions);
  const linked: PageState | null = await unpackState(location.hash);
  const app = document.getElementById("app");
  if (app === null) return;
  app.textContent = "";
  render(
    <App first={linked ?? data.state} isLinked={linked !== null} isLive={data.isLive} />,
    app,
  );
}

if ("document" in globalThis) void start();
