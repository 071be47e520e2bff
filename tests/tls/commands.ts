/** What the commands at the other end of TLS are told. */
import type { TestCertificate } from "./certificates.ts";

/** What has curl show a certificate. */
export function showing({ chainFile, keyFile }: TestCertificate): string[] {
  return ["--cert", chainFile, "--key", keyFile];
}
