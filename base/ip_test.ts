import assert from "node:assert/strict";
import { formatIp, parseIp } from "./ip.ts";

Deno.test("parseIp and formatIp agree on every spelling", () => {
  const cases: [string, string][] = [
    ["127.0.0.1", "127.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ];
  for (const [text, expected] of cases) {
    const bytes = parseIp(text);
    assert.ok(bytes !== null, text);
    assert.equal(formatIp(bytes, 0, bytes.length as 4 | 16), expected);
  }
});

Deno.test("parseIp refuses what is not an address", () => {
  for (
    const text of [
      "",
      "localhost",
      "1.2.3",
      "256.1.1.1",
      "1.2.3.4.5",
      ":::",
      "1::2::3",
      "12345::",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7::8",
      "::1.2.3",
      "g::",
    ]
  ) assert.equal(parseIp(text), null, text);
});
