/**
 * The Helm chart, made of the objects that `weft install` applies: rendered with marks in place of values, which then become expressions
 * of Helm's. Keys and certificates are made by Helm, once. tests/chart_test.ts compares both ways with a real Helm.
 */
import { stringify } from "yaml";
import { VERSION } from "../base/version.ts";
import { DEFAULT_INJECTION, INJECTION_KEYS } from "../controller/inject/settings.ts";
import { definitions } from "../controller/install/definitions.ts";
import { controllerNames, controlPlane, type InstallKeys } from "../controller/install/objects.ts";
import { type InstallValues, VALUE_KEYS, valueAdvice } from "../controller/install/values.ts";
import { webhooks } from "../controller/install/webhooks.ts";

/** Files of the chart, by their paths in it. */
type ChartFiles = Readonly<Record<string, string>>;

/** An image has one name in a chart, and the namespace is Helm's. */
const NO_VALUES: readonly string[] = ["image.registry", "image.tag"];

export function chartFiles(): ChartFiles {
  const crds = definitions().map((definition): [string, string] => [
    `crds/${definition.metadata.name}.yaml`,
    stringify(definition),
  ]);
  return {
    "Chart.yaml": stringify({
      apiVersion: "v2",
      name: "weft",
      description: "The control plane of Weft, a service mesh for SMI resources",
      type: "application",
      version: VERSION,
      appVersion: VERSION,
      kubeVersion: ">=1.22.0-0",
    }),
    "values.yaml": defaultValues(),
    "templates/weft.yaml": template(),
    "templates/NOTES.txt": "Put namespaces into the mesh: weft namespace add NAMESPACE\n" +
      "Look whether all is well: weft check\n",
    ...Object.fromEntries(crds),
  };
}

function defaultValues(): string {
  const values: Record<string, unknown> = {};
  for (const key of VALUE_KEYS.filter((each) => !NO_VALUES.includes(each))) {
    const [first, second] = key.split(".");
    const { standard } = valueAdvice(key);
    if (second === undefined) values[first] = typed(key, standard);
    else values[first] = { ...values[first] as object, [second]: standard };
  }
  return `# The keys of weft install --set: docs/install.md says what each of them is.\n${
    stringify(values)
  }`;
}

function typed(key: string, text: string): unknown {
  if (key === "replicaCount") return Number(text);
  if (key === "imagePullSecrets") return [];
  const isSwitch = ["enablePermissiveTrafficPolicy", "enableEgress"].includes(key);
  return isSwitch ? text === "true" : text;
}

const mark = (key: string) => `__${key}__`;
/** No other number in the objects is this one. */
const REPLICAS_MARK = 987_654_321;

function template(): string {
  const objects = [...controlPlane(MARKED, MARKED_KEYS), ...webhooks(MARKED, MARKED_KEYS)]
    .filter(({ metadata: { name } }) => name !== "weft-values");
  const text = objects.map((object) => stringify(object, { lineWidth: 0 })).join("---\n");
  return HEAD + withExpressions(text);
}

const MARKED_SETTINGS = Object.fromEntries(
  INJECTION_KEYS.map((key) => [key, mark(keyOfSetting(key))]),
) as unknown as InstallValues["injection"];

const MARKED: InstallValues = {
  namespace: mark("namespace"),
  injection: {
    ...MARKED_SETTINGS,
    controller: DEFAULT_INJECTION.controller.replace("weft-system", mark("namespace")),
  },
  replicaCount: REPLICAS_MARK,
  controllerLogLevel: mark("controllerLogLevel"),
  controllerCpuRequest: mark("controllerCpuRequest"),
  controllerMemoryRequest: mark("controllerMemoryRequest"),
  controllerMemoryLimit: mark("controllerMemoryLimit"),
  permissive: false,
  egress: false,
  clusterDomain: mark("clusterDomain"),
  given: {},
};

const MARKED_KEYS: InstallKeys = {
  authority: { cert: mark("caCert"), key: mark("caKey") },
  controller: { cert: mark("tlsCert"), key: mark("tlsKey") },
};

function keyOfSetting(setting: string): string {
  const lower = (text: string) => text.toLowerCase();
  const key = VALUE_KEYS.find((each) => lower(each) === lower(setting)) ??
    VALUE_KEYS.find((each) => each === `sidecar.${setting}`);
  return key ?? setting;
}

/** What Helm makes once: an authority, and the controller's certificate. */
const SECRETS = {
  caCert: "$caCert",
  caKey: "$caKey",
  tlsCert: "$tlsCert",
  tlsKey: "$tlsKey",
} as const;

const NAMES = controllerNames(MARKED)
  .map((name) => `(printf "${name.replace(/__\w+__/g, "%s")}" ${argumentsOf(name)})`);

function argumentsOf(name: string): string {
  return [...name.matchAll(/__(\w+)__/g)].map(([, key]) => expression(key)).join(" ");
}

/** Keys and certificates of an earlier release stay; the lookup finds nothing where Helm only renders. */
const HEAD = `{{- /* Made by tools/chart.ts from what weft install applies. */ -}}
{{- $ca := lookup "v1" "Secret" .Release.Namespace "weft-ca" -}}
{{- $tls := lookup "v1" "Secret" .Release.Namespace "weft-controller-tls" -}}
{{- $caCert := "" -}}{{- $caKey := "" -}}{{- $tlsCert := "" -}}{{- $tlsKey := "" -}}
{{- if and $ca $tls -}}
{{- $caCert = index $ca.data "ca.crt" | b64dec -}}
{{- $caKey = index $ca.data "ca.key" | b64dec -}}
{{- $tlsCert = index $tls.data "tls.crt" | b64dec -}}
{{- $tlsKey = index $tls.data "tls.key" | b64dec -}}
{{- else -}}
{{- $made := genCAWithKey "weft" 3650 (genPrivateKey "ecdsa") -}}
{{- $names := list ${NAMES.join(" ")} -}}
{{- $own := genSignedCertWithKey (first $names) (list) $names 365 $made (genPrivateKey "ecdsa") -}}
{{- $caCert = $made.Cert -}}{{- $caKey = $made.Key -}}
{{- $tlsCert = $own.Cert -}}{{- $tlsKey = $own.Key -}}
{{- end -}}
`;

function withExpressions(text: string): string {
  let result = text
    .replaceAll(String(REPLICAS_MARK), "{{ .Values.replicaCount }}")
    .replace(
      /^ *- --enforce-access\n/m,
      (line) => `{{- if not .Values.enablePermissiveTrafficPolicy }}\n${line}{{- end }}\n`,
    )
    .replace(
      /^ *- --egress=off\n/m,
      (line) => `{{- if not .Values.enableEgress }}\n${line}{{- end }}\n`,
    )
    .replace(
      /^( *)imagePullSecrets:\n( *)- name: __imagePullSecrets__\n/m,
      "$1{{- with .Values.imagePullSecrets }}\n$1imagePullSecrets:\n$1{{- range . }}\n" +
        "$2- name: {{ . | quote }}\n$1{{- end }}\n$1{{- end }}\n",
    );
  for (const [key, variable] of Object.entries(SECRETS)) {
    const base64 = new TextEncoder().encode(mark(key)).toBase64();
    result = result.replaceAll(base64, `{{ ${variable} | b64enc }}`);
  }
  return result
    .replace(/"__([\w.]+)__"/g, (_, key) => `{{ ${expression(key)} | toJson }}`)
    .replace(
      /(:|-) __([\w.]+)__$/gm,
      (_, before, key) => `${before} {{ ${expression(key)} | quote }}`,
    )
    .replace(/__([a-z][\w.]*?)__/g, (_, key) => `{{ ${expression(key)} }}`);
}

function expression(key: string): string {
  if (key === "namespace") return ".Release.Namespace";
  if (key === "controllerCa") return SECRETS.caCert;
  // Helm makes a list of {a,b}.
  if (/(Ex|In)clusionList$|^imagePullSecrets$/.test(key)) return `join "," .Values.${key}`;
  return Object.hasOwn(SECRETS, key) ? SECRETS[key as keyof typeof SECRETS] : `.Values.${key}`;
}
