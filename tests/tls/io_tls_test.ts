/** Both drivers against the cases of `io_cases.ts`. */
import { openOpenssl } from "../../proxy/io/libc_openssl.ts";
import { IO_DRIVERS, isLinux } from "../conformance/drivers.ts";
import { TlsBench } from "./bench.ts";
import { HAS_OPENSSL_COMMAND, HAS_PORTABLE_TLS } from "./certificates.ts";
import { TLS_CASES } from "./io_cases.ts";

// It stays open; opened within a test it would count as a leak of that test.
if (isLinux) openOpenssl();

for (const { name, make, ignore } of IO_DRIVERS) {
  for (const tlsCase of TLS_CASES) {
    Deno.test({
      name: `TLS, ${name}: ${tlsCase.name}`,
      ignore: ignore || !HAS_OPENSSL_COMMAND ||
        (name === "portable" && (tlsCase.needsSessions === true || !HAS_PORTABLE_TLS)),
      async fn() {
        const bench = new TlsBench(make());
        try {
          await tlsCase.run(bench);
        } finally {
          await bench.end();
        }
      },
    });
  }
}
