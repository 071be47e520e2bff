/** Looks DNS names up for a proxy, as every other program of this system does: hosts file, search domains and all. */

/** The name's IP addresses; none if it has none. */
export async function lookUpName(name: string): Promise<readonly string[]> {
  // Most proxies never need it.
  const { lookup } = await import("node:dns/promises");
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}
