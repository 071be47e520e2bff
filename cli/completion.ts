/**
 * Shell completion over the grammar of all commands: the script a shell loads, and the answers to what it asks at
 * each TAB. The only file that knows @bomb.sh/tab.
 */
import { type Command as TabCommand, RootCommand } from "@bomb.sh/tab";
import type { Program } from "./program.ts";

type ProgramOption = Program["options"][number];

type Shell = "bash" | "zsh" | "fish" | "powershell";

/** Bits of the last line of an answer, after its colon; a protocol that tab took from Cobra. */
const DIRECTIVE_DEFAULT = 0;
const DIRECTIVE_NO_FILES = 4;

/** The script for `shell`, to be loaded by the user's profile. `program` holds every command. */
export function completionScript(program: Program, shell: Shell): string {
  const root = walk(program);
  const script = captured(() => root.setup(program.name(), program.name(), shell));
  return shell === "bash" ? repairBash(script, program.name()) : script;
}

/**
 * Answers one TAB: a candidate a line with its description after a tab, then `:` and the directive. `words` are those
 * after the program's name, the one under the cursor last, empty if it is not begun.
 */
export function completeWords(program: Program, words: readonly string[]): string {
  if (expectsPath(program, words)) return `:${DIRECTIVE_DEFAULT}\n`;
  const root = walk(program);
  const answer = captured(() => root.parse([...words]));
  return answer.endsWith("\n") ? answer : `${answer}:${DIRECTIVE_NO_FILES}\n`;
}

/** The grammar as tab wants it. Its own adapter for commander adds commands of its own to the program. */
function walk(program: Program): RootCommand {
  const root = new RootCommand();
  const help = program.createHelp();
  const addCommands = (parent: Program, prefix: string) => {
    for (const command of help.visibleCommands(parent)) {
      const name = prefix + command.name();
      const walked = root.command(name, command.summary() || command.description());
      for (const option of help.visibleOptions(command)) addOption(walked, option);
      for (const argument of command.registeredArguments) {
        walked.argument(argument.name(), offer(argument.argChoices), argument.variadic);
      }
      if (command.commands.length > 0) addCommands(command as Program, `${name} `);
    }
  };
  addCommands(program, "");
  return root;
}

/** The innermost command that the words name, and those that come after its name. */
function commandAt(
  program: Program,
  words: readonly string[],
): { readonly command: Program; readonly rest: readonly string[] } | null {
  let command: Program | null = null;
  let rest = words;
  for (let next: Program | undefined = program; next !== undefined;) {
    next = next.commands.find((each) => each.name() === rest[0]) as Program | undefined;
    if (next === undefined) break;
    command = next;
    rest = rest.slice(1);
  }
  // The word under the cursor is no command yet.
  return command === null || rest.length === 0 ? null : { command, rest };
}

/** What of a cluster the word under the cursor names. */
export type ClusterName = "namespace" | "pod" | "trafficsplit" | "context";

const NAMES_OF_OPTIONS: Readonly<Record<string, ClusterName>> = {
  "--namespace": "namespace",
  "--weft-namespace": "namespace",
  "--pod": "pod",
  "--context": "context",
};

const NAMES_OF_ARGUMENTS: Readonly<Record<string, ClusterName>> = {
  "namespace": "namespace",
  "pod": "pod",
  "source": "pod",
  "destination": "pod",
  "trafficsplit/name": "trafficsplit",
};

/** Null: the word names nothing of a cluster, or the command asks none. */
export function clusterNameAt(program: Program, words: readonly string[]): ClusterName | null {
  const found = commandAt(program, words);
  if (found === null || found.rest.at(-1)?.startsWith("-")) return null;
  const { command, rest } = found;
  if (!command.options.some(({ long }) => long === "--kubeconfig")) return null;
  const before = rest.slice(0, -1);
  const takesValue = (word: string | undefined) =>
    command.options.find(({ short, long, required }) =>
      required && word !== undefined && [short, long].includes(word)
    );
  const option = takesValue(before.at(-1));
  if (option !== undefined) return NAMES_OF_OPTIONS[option.long ?? ""] ?? null;
  const place =
    before.filter((word, i) => !word.startsWith("-") && takesValue(before[i - 1]) === undefined)
      .length;
  const { registeredArguments: known } = command;
  const argument = known[place] ?? known.findLast(({ variadic }) => variadic);
  return NAMES_OF_ARGUMENTS[argument?.name() ?? ""] ?? null;
}

/** Names as a shell takes them. */
export function completeNames(names: readonly string[], words: readonly string[]): string {
  const begun = words.at(-1) ?? "";
  const fitting = names.filter((name) => name.startsWith(begun));
  return `${fitting.map((name) => `${name}\n`).join("")}:${DIRECTIVE_NO_FILES}\n`;
}

function addOption(command: TabCommand, option: ProgramOption): void {
  if (option.long === undefined || option.long === null) return;
  const name = option.long.slice(2);
  const short = option.short?.slice(1);
  // tab takes an option without a handler for one without a value.
  if (!option.required && !option.optional) command.option(name, option.description, short);
  else command.option(name, option.description, offer(option.argChoices), short);
}

function offer(choices: readonly string[] | undefined) {
  return (complete: (value: string, description: string) => void) => {
    for (const choice of choices ?? []) complete(choice, "");
  };
}

/**
 * Whether the word under the cursor belongs to an option or a command that takes paths: tab answers that with nothing and forbids
 * the shell to offer files.
 */
function expectsPath(program: Program, words: readonly string[]): boolean {
  const found = commandAt(program, words);
  if (found === null || words[words.length - 1]?.startsWith("-")) return false;
  const { command, rest } = found;
  const before = rest.slice(0, -1);
  const last = before.findLastIndex((word) => word.startsWith("-"));
  const named = before[last] ?? "";
  const option = command.options.find(({ short, long }) => [short, long].includes(named));
  const isValue = option?.required === true && (option.variadic || last === before.length - 1);
  if (option !== undefined && isValue) return /<(path|file)\b/.test(option.flags);
  return command.registeredArguments.some((each) => each.name() === "path");
}

/** tab prints; this hands back what it printed. Synchronous, so nothing else can print in between. */
function captured(act: () => void): string {
  const original = globalThis.console.log;
  let text = "";
  globalThis.console.log = (line: string) => text += `${line}\n`;
  try {
    act();
  } finally {
    globalThis.console.log = original;
  }
  return text;
}

/**
 * Two repairs to tab's script for bash: without `-o default` bash offers no files where we ask for them, and
 * `readonly` fails when a profile is loaded twice.
 */
function repairBash(script: string, name: string): string {
  return script
    .replaceAll(/^readonly /gm, "")
    .replace(`complete -F __${name}_complete`, `complete -o default -F __${name}_complete`);
}
