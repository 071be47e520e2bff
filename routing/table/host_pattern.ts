/** Hosts as an Egress and an IngressBackend name them. */

/** @param pattern a host, `*.example.com` for all below it, or `*` for any that is named */
export function fitsHost(pattern: string, host: string): boolean {
  if (pattern === "*") return host !== "";
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;
}
