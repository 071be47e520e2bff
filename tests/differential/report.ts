/** Writes docs/reference/smuggling.md: where Weft, nginx and HAProxy read the corpus differently. */
import { startHaproxy, startNghttpx, startNginx, startWeft, versionOf } from "./contenders.ts";
import { show, smugglingCorpus } from "./corpus.ts";
import { describeDowngrade, observeDowngrades } from "./downgrade.ts";
import { downgradeCorpus } from "./downgrade_corpus.ts";
import { describeObservation, observeAll } from "./observe.ts";

const OUTPUT = new URL("../../docs/reference/smuggling.md", import.meta.url);

const [nginx, haproxy, nghttpx] = ["nginx", "haproxy", "nghttpx"].map(versionOf);
if (nginx === null || haproxy === null || nghttpx === null) {
  console.error("The tables need nginx, HAProxy and nghttpx on this machine");
  Deno.exit(1);
}
const corpus = smugglingCorpus();
const columns = await Promise.all([
  observeAll(corpus, startWeft),
  observeAll(corpus, (port) => startNginx(port, nginx)),
  observeAll(corpus, (port) => startHaproxy(port, haproxy)),
]);
const rows = corpus.map((
  { name },
  i,
) => [name, ...columns.map((column) => describeObservation(column[i]))])
  .filter(([, ...outcomes]) =>
    new Set(outcomes.map((text) => text.replace(/ \(\d+\)/, ""))).size > 1
  );

const downgrades = downgradeCorpus();
const downgraded = await Promise.all([
  observeDowngrades(downgrades, startWeft),
  observeDowngrades(downgrades, (port) => startNghttpx(port, nghttpx)),
  observeDowngrades(downgrades, (port) => startHaproxy(port, haproxy, "http2")),
  observeDowngrades(downgrades, (port) => startNginx(port, nginx, "http2")),
]);
const downgradeRows = downgrades.map(({ name }, i) => [
  show(name),
  ...downgraded.map((column) => describeDowngrade(column[i])),
]).filter(([, ...outcomes]) =>
  new Set(outcomes.map((text) => text.replace(/ \(\d+\)|, and the connection.*/g, ""))).size > 1
);

const lines = [
  "# Requests that proxies read differently",
  "",
  "Request smuggling needs two recipients that read the same bytes as different requests. Weft refuses whatever could be",
  "read two ways, instead of guessing or repairing; what it passes on, a strict reader finds to be exactly the requests",
  "that Weft meant.",
  "",
  "`Upgrade: h2c` is taken up by Weft itself and goes no further, so that no request travels through an upgraded connection that was not routed. A",
  "request that has a body, or has bytes behind it, stays HTTP/1.1, since where its end lies is what two readers could disagree",
  "about; so does one over TLS. `HTTP2-Settings` are dropped in any case.",
  "",
  "Chunk extensions are read by their grammar and left out; a line that does not keep to it ends the connection. Trailers that would frame,",
  "route, authenticate or modify a message are left out, over HTTP/1.1 and HTTP/2, and so are those that `Connection` nominates.",
  "A list means the same in one line and in several. Equal lengths are passed on as one. A target holds what RFC 3986 has for",
  "paths and queries, and `[` and `]`; what else is visible has to be percent-encoded.",
  "",
  `This table is made by \`deno run --allow-all tests/differential/report.ts\`: ${corpus.length} cases sent to Weft, nginx`,
  `${nginx} and HAProxy ${haproxy} in front of the same recording origin, with default settings but for short timeouts. It`,
  `lists the ${rows.length} on which the three do not agree. Each case is followed by a second request on the same connection:`,
  "`next` says that it was read as one.",
  "",
  "| Case | Weft | nginx | HAProxy |",
  "| --- | --- | --- | --- |",
  ...rows.map(([name, ...outcomes]) => `| ${codeOf(name)} | ${outcomes.join(" | ")} |`),
  "",
  "`passed on malformed`: the origin's reader, which is as strict as Weft's, could not take what it got.",
  "",
  "## HTTP/2 in front, HTTP/1.1 behind",
  "",
  "What is one field in HTTP/2 can be several lines, or another request, once it is written as HTTP/1.1. Here are",
  `${downgrades.length} requests over HTTP/2 without TLS, by prior knowledge, with nghttpx ${nghttpx} too; the table lists the`,
  `${downgradeRows.length} on which the four do not agree. Weft refuses a request with RST_STREAM, or with the status that`,
  "is given, and goes on with the connection. A body that turns out to be longer or shorter than its length only after the",
  "head has been passed on is cut short at the origin; where the length is 0, the head is a whole request already.",
  "",
  "| Case | Weft | nghttpx | HAProxy | nginx |",
  "| --- | --- | --- | --- | --- |",
  ...downgradeRows.map(([name, ...outcomes]) => `| ${codeOf(name)} | ${outcomes.join(" | ")} |`),
  "",
];
await Deno.mkdir(new URL(".", OUTPUT), { recursive: true });
await Deno.writeTextFile(OUTPUT, lines.join("\n"));
console.log(`${rows.length} of ${corpus.length} cases in ${OUTPUT.pathname}`);
Deno.exit(0);

/** As code in a cell of a table. */
function codeOf(text: string): string {
  const fence = text.includes("`") ? "``" : "`";
  return `${fence}${text.replaceAll("|", "\\|")}${fence}`;
}
