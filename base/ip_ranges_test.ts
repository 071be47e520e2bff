import { equal } from "node:assert/strict";
import { IpRanges } from "./ip_ranges.ts";

const CASES = [
  [["192.0.2.0/24"], ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.9"], ["192.0.3.0", "::1"]],
  [["192.0.2.128/25", "10.0.0.1"], ["192.0.2.128", "10.0.0.1"], ["192.0.2.127", "10.0.0.2"]],
  [["0.0.0.0/0"], ["8.8.8.8"], ["2001:db8::1", "name", ""]],
  [["2001:db8::/33"], ["2001:db8:7fff::"], ["2001:db8:8000::", "32.1.13.184"]],
  [[], [], ["1.2.3.4"]],
  [["nonsense", "1.2.3.4/33"], [], ["1.2.3.4"]],
] as const;

for (const [ranges, inside, outside] of CASES) {
  Deno.test(`ip ranges: ${ranges.join(", ") || "none"}`, () => {
    const all = new IpRanges(ranges);
    for (const address of inside) equal(all.has(address), true, address);
    for (const address of outside) equal(all.has(address), false, address);
  });
}
