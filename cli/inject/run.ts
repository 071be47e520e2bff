/** The work of `weft inject`: reads manifests, injects as the webhook does, and prints them, or says what is wrong and prints nothing. */
import { type Finding, FINDING_CODES, type FindingCode } from "../../base/finding.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { hasErrors, renderFindings } from "../../console/findings.ts";
import { inject, type InjectionContext } from "../../controller/inject/inject.ts";
import { type PatchOperation, pointer } from "../../controller/inject/patch.ts";
import type { ObjectMeta } from "../../controller/inject/pod.ts";
import { podTemplatesIn } from "../../controller/inject/templates.ts";
import { uninject } from "../../controller/inject/uninject.ts";
import { fieldsOf, textField } from "../../controller/kube/fields.ts";
import type { SourceDocument } from "../../schemas/document.ts";
import { readDocuments } from "../../schemas/documents.ts";
import type { ManifestFile } from "../../schemas/manifests.ts";
import { SourceText } from "../../schemas/positions.ts";
import { makeFinding } from "../../schemas/report.ts";
import { readPaths } from "../../schemas/source.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { editText } from "./edit_text.ts";
import { sidecarsOfCluster, sidecarsOfFile } from "./settings.ts";

interface InjectOptions extends ClusterOptions {
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly settings?: string | undefined;
  readonly nativeSidecar?: InjectionContext["settings"]["nativeSidecar"] | undefined;
  readonly uninject: boolean;
}

export async function runInject(
  paths: readonly string[],
  options: InjectOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout, stderr } = environment;
  const all = [...paths, ...options.filename];
  if (all.length === 0) throw usageFailure("Name manifests", "Write weft inject -f PATH….");
  const { files, findings } = await readPaths(all, {
    recursive: options.recursive,
    stdin: () => environment.readStdin(),
  });
  const manifests = new Manifests(files);
  const work = options.uninject
    ? removing
    : injecting(await contextOf(options, environment), options, manifests);
  const texts = manifests.edited(work);
  const told = [...findings, ...manifests.findings];
  stderr.write(renderFindings(stderr, told));
  if (hasErrors(told)) return EXIT.failed;
  if (manifests.isEmpty) {
    throw new CommandFailure("There is no manifest in what was given", {
      hint: 'See what the command before "|" says; with "set -o pipefail" its failure counts.',
    });
  }
  stdout.write(joined(texts));
  return EXIT.ok;
}

async function contextOf(
  options: InjectOptions,
  environment: Environment,
): Promise<Omit<InjectionContext, "namespace">> {
  const { settings, nativeIsKnown } = options.settings === undefined
    ? await sidecarsOfCluster(options, environment)
    : await sidecarsOfFile(options.settings);
  const { nativeSidecar = settings.nativeSidecar } = options;
  return { settings: { ...settings, nativeSidecar }, nativeIsKnown };
}

type Template = ReturnType<typeof podTemplatesIn>[number];

/** The operations for one pod or template, from its top; `tell` says what its owner should know. */
type Work = (
  template: Template,
  tell: (code: FindingCode, message: string, hint?: string) => void,
) => readonly PatchOperation[];

const removing: Work = ({ pod }) => uninject(pod);

function injecting(
  context: Omit<InjectionContext, "namespace">,
  options: InjectOptions,
  manifests: Manifests,
): Work {
  return ({ pod, workload, namespace }, tell) => {
    const name = namespace || options.namespace || "default";
    const injection = inject(pod, { ...context, namespace: manifests.namespace(name), workload });
    switch (injection.kind) {
      case "refuse":
        tell("sidecar-refused", injection.message);
        return [];
      case "leave":
        tell(
          injection.isExpected ? "sidecar-opted-out" : "sidecar-left-out",
          `No sidecar: ${injection.reason}`,
        );
        return [];
      case "inject":
        if (leavesOutSecrets(pod, injection.patch)) tell("sidecar-notice", SECRETS_NOTICE);
        for (const warning of injection.warnings) tell("sidecar-notice", warning);
        return injection.patch;
      case "complete":
        return injection.patch;
    }
  };
}

/** Kubernetes gives a pod the Secrets of its account where it names none itself, and the webhook comes after that. */
const SECRETS_NOTICE =
  "imagePullSecrets of the mesh stand in the pod, so that Kubernetes adds those of its ServiceAccount no more: if it has any, name them in the pod too";

function leavesOutSecrets({ spec }: Template["pod"], patch: readonly PatchOperation[]): boolean {
  return (spec.imagePullSecrets ?? []).length === 0 &&
    patch.some(({ path }) => path.startsWith("/spec/imagePullSecrets"));
}

/** Files of manifests, each as the documents in it. */
class Manifests {
  readonly findings: Finding[] = [];
  readonly #files: readonly { readonly text: string; readonly documents: SourceDocument[] }[];

  constructor(files: readonly ManifestFile[]) {
    this.#files = files.map((file) => {
      const text = file.text.replace(/^\ufeff/, "");
      const source = new SourceText(file.name, text);
      const documents = readDocuments(source, ({ code, message, hint, offset }) => {
        const position = source.positionAt(offset);
        this.findings.push(makeFinding(code, { message, hint, position }));
      });
      return { text, documents };
    });
  }

  get isEmpty(): boolean {
    return this.#files.every(({ documents }) => documents.length === 0);
  }

  /** Labels and annotations of a namespace, if it is among the documents. */
  namespace(name: string): ObjectMeta {
    for (const { documents } of this.#files) {
      for (const { value } of documents) {
        const object = fieldsOf(value);
        const metadata = fieldsOf(object["metadata"]);
        // Its values have not been checked: what is read of them is.
        if (object["kind"] === "Namespace" && textField(metadata, "name") === name) {
          return metadata as ObjectMeta;
        }
      }
    }
    return {};
  }

  /** The texts of the files afterwards. */
  edited(work: Work): string[] {
    return this.#files.map(({ text, documents }) => {
      let edited = "";
      let from = 0;
      for (const together of Map.groupBy(documents, ({ piece }) => piece[0]).values()) {
        const edits = together.map((document) => ({
          value: document.value,
          operations: this.#operationsFor(document, work),
        }));
        if (edits.every(({ operations }) => operations.length === 0)) continue;
        const [start, end] = together[0].piece;
        const piece = text.slice(start, end);
        // What follows a line of dashes begins with the end of that line.
        const lead = /^\r?\n/.exec(piece)?.[0] ?? "";
        edited += text.slice(from, start) + lead + editText(piece.slice(lead.length), edits);
        from = end;
      }
      return edited + text.slice(from);
    });
  }

  #operationsFor({ value, origin }: SourceDocument, work: Work): PatchOperation[] {
    return podTemplatesIn(value).flatMap((template) => {
      const { kind, name, namespace, path } = template;
      const operations = work(template, (code, message, hint = "") => {
        const [severity] = FINDING_CODES[code];
        const resource = { kind, namespace, name };
        const position = origin.locate(path);
        this.findings.push({
          code,
          severity,
          message,
          hint,
          resource,
          ...(position === undefined ? {} : { position }),
        });
      });
      const top = pointer(path);
      return operations.map((each) => ({ ...each, path: `${top}${each.path}` }));
    });
  }
}

/** Files behind each other, as documents of one stream. */
function joined(texts: readonly string[]): string {
  let stream = "";
  for (const text of texts) {
    if (stream !== "" && !stream.endsWith("\n")) stream += "\n";
    if (stream !== "" && !/^(---|%)/.test(text)) stream += "---\n";
    stream += text;
  }
  return stream;
}
