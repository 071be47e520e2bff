/**
 * Checks what must stay true of the Dockerfile, since no machine of ours has an engine to build it with.
 * Pure: text in, problems out.
 */

interface Instruction {
  readonly name: string;
  readonly value: string;
}

function parse(text: string): Instruction[] {
  const joined = text.replace(/^\s*#.*\n/gm, "").replace(/\\\n/g, " ");
  return joined.split("\n").filter((line) => line.trim() !== "").map((line) => {
    const [, name = "", value = ""] = /^\s*(\w+)\s+(.*)$/.exec(line) ?? [];
    return { name: name.toUpperCase(), value: value.trim() };
  });
}

/** Problems of a Dockerfile, one sentence each; empty if it keeps to the rules. */
export function checkDockerfile(text: string): string[] {
  const problems: string[] = [];
  const instructions = parse(text);
  const stages = new Set<string>();
  let lastStage = 0;

  instructions.forEach(({ name, value }, index) => {
    if (name === "FROM") {
      lastStage = index;
      const [image, , stage] = value.split(/\s+/);
      const isKnown = image === "scratch" || stages.has(image);
      if (!isKnown && !/:[\w.-]+(@sha256:[0-9a-f]{64})?$/.test(image)) {
        problems.push(`Image "${image}" has no tag`);
      }
      if (/:latest\b/.test(image)) problems.push(`Image "${image}" moves under us`);
      if (stage !== undefined) stages.add(stage);
    }
    if (name === "COPY") {
      const from = /--from=(\S+)/.exec(value)?.[1];
      if (from !== undefined && !stages.has(from)) problems.push(`No stage "${from}"`);
    }
    const install = /npm install\s.*\bdeno@(\S+)/.exec(value);
    if (name === "RUN" && install !== null && !/^\d+\.\d+\.\d+$/.test(install[1])) {
      problems.push(`Deno's version is not exact: "${install[1]}"`);
    }
  });

  const final = instructions.slice(lastStage);
  const valueOf = (name: string) => final.findLast((line) => line.name === name)?.value;
  if (valueOf("FROM") !== "scratch") problems.push("The last stage is not FROM scratch");
  if (final.some((line) => line.name === "RUN")) problems.push("The last stage runs a command");
  if (valueOf("USER") !== "1500:1500") problems.push("The last stage is not USER 1500:1500");
  if (valueOf("ENTRYPOINT") !== '["/usr/local/bin/weft"]') {
    problems.push("The entry point is not the executable");
  }
  return problems;
}
