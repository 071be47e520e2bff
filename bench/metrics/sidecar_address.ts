/** Where a sidecar that is none listens: each has an address of loopback, as each pod has one of its own. Pure. */

/** Up to 65,000 of them, behind the addresses that others use. */
export function sidecarAddress(index: number): string {
  return `127.1.${index >> 8}.${index & 255}`;
}
