import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalIp, formatAuthority, formatIp, isLocal, parseIp } from "./ip.ts";

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

Deno.test("formatAuthority puts brackets around IPv6", () => {
  assert.equal(formatAuthority("10.0.0.1", 80), "10.0.0.1:80");
  assert.equal(formatAuthority("fd00::1", 80), "[fd00::1]:80");
});

Deno.test("isLocal: loopback and the address of everything, of both versions", () => {
  for (const local of ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"]) {
    assert.ok(isLocal(local), local);
  }
  for (const other of ["10.0.0.1", "fd00::1", "::2", "::ffff:10.0.0.1", "localhost", ""]) {
    assert.ok(!isLocal(other), other);
  }
});

Deno.test("canonicalIp is formatIp of parseIp", () => {
  const part = fc.oneof(
    fc.nat(300).map(String),
    fc.constantFrom("", "0", "00", "01", "010", "255", "256", "a", "-1", " 1", "1e1"),
  );
  const text = fc.oneof(
    fc.array(part, { minLength: 3, maxLength: 5 }).map((parts) => parts.join(".")),
    fc.ipV4(),
    fc.ipV6(),
    fc.string(),
  );
  fc.assert(
    fc.property(text, (text) => {
      const bytes = parseIp(text);
      const formatted = bytes === null ? null : formatIp(bytes, 0, bytes.length as 4 | 16);
      assert.equal(canonicalIp(text), formatted);
    }),
    { numRuns: 1_000 },
  );
});
