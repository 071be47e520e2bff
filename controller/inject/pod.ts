/** The fields of a Pod, or of a pod template, that injection reads. What the API server sends has passed its own checks. */

export interface ObjectMeta {
  readonly name?: string;
  readonly generateName?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly Owner[];
}

export interface Owner {
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

export interface Probe {
  readonly tcpSocket?: { readonly port: number | string; readonly host?: string };
  readonly [field: string]: unknown;
}

export interface Container {
  readonly name: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly securityContext?: ContainerSecurity;
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

export interface PodObject {
  readonly metadata?: ObjectMeta;
  readonly spec: {
    readonly hostNetwork?: boolean;
    readonly os?: { readonly name: string };
    readonly nodeSelector?: Readonly<Record<string, string>>;
    readonly securityContext?: RunsAs;
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly unknown[];
  };
}

/** All containers that a pod begins with. */
export function allContainers({ spec }: PodObject): Container[] {
  return [...spec.initContainers ?? [], ...spec.containers];
}
