/** What is compared: each side files, directories, standard input, what a git revision has of them, or a cluster. */
import type { Environment } from "../../console/environment.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { ClusterTree } from "../cluster/cluster_tree.ts";
import { CommandFailure, usageFailure } from "../../console/exit.ts";
import type { FileTree } from "../../schemas/source.ts";
import { GitTree, splitRevision } from "./git_tree.ts";

/** One side. */
export interface DiffSide {
  /** As a person names it. */
  readonly name: string;
  readonly paths: readonly string[];
  /** Left out: the files of this machine. */
  readonly tree?: FileTree;
}

/** What the cluster has, and what it would have with the manifests applied. */
export async function liveSides(
  words: readonly string[],
  options: ClusterOptions,
  environment: Environment,
): Promise<readonly [before: DiffSide, after: DiffSide]> {
  if (words.length === 0) {
    throw usageFailure(
      "weft diff --live takes manifests",
      "For example: weft diff --live manifests/",
    );
  }
  const tree = await withCluster(options, environment, (client) => ClusterTree.read(client, null));
  return [
    { name: "the cluster", paths: tree.paths, tree },
    { name: words.join(" "), paths: [...tree.paths, ...words], tree },
  ];
}

/** Takes `OLD NEW`, or with a revision the paths that are compared with what it has of them. */
export async function diffSides(
  words: readonly string[],
  revision: string | undefined,
): Promise<readonly [before: DiffSide, after: DiffSide]> {
  if (revision !== undefined) {
    if (words.length === 0) {
      throw usageFailure(
        "weft diff --git takes paths",
        `For example: weft diff --git ${revision} manifests/`,
      );
    }
    const after = { name: words.join(" "), paths: words };
    return [{
      ...after,
      name: `${revision}:${after.name}`,
      tree: await GitTree.open(revision, false),
    }, after];
  }
  if (words.length !== 2) {
    throw usageFailure(
      "weft diff takes two sides, OLD and NEW",
      "For example: weft diff main:manifests manifests/, or weft diff --git main manifests/",
    );
  }
  if (words[0] === "-" && words[1] === "-") {
    throw usageFailure("Standard input can be one side only", "Name a file for the other");
  }
  return [await sideOf(words[0]), await sideOf(words[1])];
}

/** A path of this machine comes before a revision that is written the same. */
async function sideOf(word: string): Promise<DiffSide> {
  const asRevision = splitRevision(word);
  const isHere = word === "-" || await Deno.stat(word).then(() => true, () => false);
  if (isHere || asRevision === null) {
    if (!isHere) {
      throw new CommandFailure(`There is no such file or directory: "${word}"`, {
        hint: "A git revision is written REV:path",
      });
    }
    return { name: word, paths: [word] };
  }
  const { revision, path } = asRevision;
  const tree = await GitTree.open(revision, !/^\.\.?(?:\/|$)/.test(path));
  return { name: word, paths: [path], tree };
}
