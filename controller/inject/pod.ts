/** The fields of a Pod, or of a pod template, that injection reads. What the API server sends has passed its own checks. */
import { fieldsOf } from "../kube/fields.ts";

export interface ObjectMeta {
  readonly name?: string;
  readonly generateName?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly Owner[];
}

interface Owner {
  readonly kind: string;
  readonly name: string;
  readonly controller?: boolean;
}

interface RunsAs {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
}

interface ContainerSecurity extends RunsAs {
  readonly capabilities?: { readonly add?: readonly string[] };
}

export interface PodProbe {
  readonly tcpSocket?: { readonly port: number | string; readonly host?: string };
  readonly httpGet?: {
    readonly port: number | string;
    readonly host?: string;
    readonly path?: string;
    readonly scheme?: string;
  };
  readonly grpc?: { readonly port: number };
  readonly [field: string]: unknown;
}

export interface PodContainer {
  readonly name: string;
  readonly args?: readonly string[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly securityContext?: ContainerSecurity;
  readonly startupProbe?: PodProbe;
  readonly livenessProbe?: PodProbe;
  readonly readinessProbe?: PodProbe;
}

export interface PodObject {
  readonly metadata?: ObjectMeta;
  readonly spec: {
    readonly hostNetwork?: boolean;
    readonly dnsPolicy?: string;
    readonly restartPolicy?: string;
    readonly os?: { readonly name: string };
    readonly nodeSelector?: Readonly<Record<string, string>>;
    readonly securityContext?: RunsAs;
    readonly containers: readonly PodContainer[];
    readonly initContainers?: readonly PodContainer[];
    readonly volumes?: readonly { readonly name: string }[];
    readonly imagePullSecrets?: readonly { readonly name?: string }[];
    readonly terminationGracePeriodSeconds?: number;
  };
}

/** All containers that a pod begins with. */
export function allContainers({ spec }: PodObject): PodContainer[] {
  return [...spec.initContainers ?? [], ...spec.containers];
}

/** Whether this is what a pod, or the template of one, has at the least. */
export function isPod(value: unknown): value is PodObject {
  const { containers } = fieldsOf(fieldsOf(value)["spec"]);
  return Array.isArray(containers) && containers.length > 0 &&
    containers.every((container) => typeof fieldsOf(container)["name"] === "string");
}
