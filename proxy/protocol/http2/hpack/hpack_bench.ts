/** What decoding and encoding a typical head costs: the first time, and once its fields are in the table. */
import { addFields, fieldListForTest } from "../../../../tests/protocol/http2/field_text.ts";
import { Decoder } from "./decoder.ts";
import { Encoder } from "./encoder.ts";

const HEADS: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  "HTTP request": [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/api/v1/items"],
    [":authority", "shop.bookstore.svc.cluster.local"],
    ["user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"],
    ["accept", "application/json"],
    ["accept-encoding", "gzip, deflate, br"],
    ["x-forwarded-for", "10.1.2.3"],
    ["x-forwarded-proto", "http"],
  ],
  "gRPC request": [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/bookstore.v1.Catalogue/GetBook"],
    [":authority", "catalogue.bookstore:8080"],
    ["te", "trailers"],
    ["content-type", "application/grpc"],
    ["user-agent", "grpc-go/1.70.0"],
    ["grpc-accept-encoding", "gzip"],
    ["grpc-timeout", "999m"],
  ],
};

for (const [name, fields] of Object.entries(HEADS)) {
  const list = fieldListForTest();
  addFields(list, fields);
  const out = new Uint8Array(4096);
  const decoded = fieldListForTest();

  const first = out.slice(0, new Encoder().encode(list, out, 0));
  Deno.bench(`${name}: decode, all literals`, { group: name }, () => {
    firstDecoder.decode(first, 0, first.length, decoded);
  });
  const firstDecoder = new Decoder(4096, 15_360);

  const encoder = new Encoder();
  const decoder = new Decoder(4096, 15_360);
  for (let i = 0; i < 2; i++) decoder.decode(out, 0, encoder.encode(list, out, 0), decoded);
  const again = out.slice(0, encoder.encode(list, out, 0));
  Deno.bench(`${name}: decode, ${again.length} bytes of indexes`, { group: name }, () => {
    decoder.decode(again, 0, again.length, decoded);
  });
  Deno.bench(`${name}: encode, fields in the table`, { group: name }, () => {
    encoder.encode(list, out, 0);
  });
}
