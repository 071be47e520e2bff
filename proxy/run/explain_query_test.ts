// Tests of what `/explain` is asked: what a query means, and one line for each that means nothing.
import assert from "node:assert/strict";
import { parseExplainQuery } from "./explain_query.ts";

const parse = (query: string) => parseExplainQuery(new URLSearchParams(query));
const URL_OF_WEB = "url=http%3A%2F%2Fweb.shop%3A80%2Fa%3Fb";

Deno.test("explain query: everything, and what is left out", () => {
  const all = "method=PUT&header=X-A:%20b&header=x-a:c&listener=2&side=inbound&caller=shop/cart";
  assert.deepEqual(parse(`${URL_OF_WEB}&${all}`), {
    method: "PUT",
    url: "http://web.shop:80/a?b",
    headers: [["X-A", "b"], ["x-a", "c"]],
    side: "inbound",
    listener: 2,
    caller: "shop/cart",
    origin: null,
  });
  assert.deepEqual(parse(URL_OF_WEB), {
    method: "GET",
    url: "http://web.shop:80/a?b",
    headers: [],
    side: "outbound",
    listener: 0,
    caller: "",
    origin: null,
  });
  const outside = parse(`${URL_OF_WEB}&side=inbound&peer=192.0.2.7&serverName=shop.example`);
  assert.deepEqual(typeof outside === "string" ? outside : outside.origin, {
    peer: "192.0.2.7",
    serverName: "shop.example",
  });
  // A connection; and what a proxy refuses, which is explained.
  const taken = [
    "url=/a&header=Host:web",
    "url=tcp://web:80",
    "url=https://web/",
    "url=http://w/é|",
  ];
  for (const query of taken) assert.equal(typeof parse(query), "object", query);
});

Deno.test("explain query: what means nothing says what was wanted", () => {
  const refused = {
    "": /^Missing parameter: url$/,
    "url=": /^Missing parameter: url$/,
    "url=/a": /^url is "\/a": want one like http/,
    "url=web": /^url is "web"/,
    "url=ftp://web/": /^url is /,
    "url=http:///a": /^url is /,
    "url=tcp://web": /^url is .*tcp:\/\/db.shop:5432$/,
    "url=tcp://web:80/a": /^url is /,
    "url=http://web/%0a": /^url is /,
    "url=http://web/%20": /^url is /,
    [`${URL_OF_WEB}&method=`]: /^method is "": want one like GET$/,
    [`${URL_OF_WEB}&method=G%20T`]: /^method is /,
    [`${URL_OF_WEB}&header=name`]: /^header is "name": want it like Name: value$/,
    [`${URL_OF_WEB}&header=a:b%0d%0ac:d`]: /^header is /,
    [`${URL_OF_WEB}&listener=x`]: /^listener is "x": want a whole number from 0$/,
    [`${URL_OF_WEB}&listener=-1`]: /^listener is /,
    [`${URL_OF_WEB}&side=both`]: /^side is outbound or inbound$/,
    [`${URL_OF_WEB}&caller=cart`]: /^caller is "cart": want it like namespace\/serviceaccount$/,
    [`${URL_OF_WEB}&peer=web`]: /^peer is "web": want an IP address$/,
    [`${URL_OF_WEB}&serverName=a`]: /^serverName is of a caller with peer$/,
    [`${URL_OF_WEB}&${URL_OF_WEB}`]: /^url is there twice$/,
    [`${URL_OF_WEB}&headers=a:b`]: /^Unknown parameter: headers; there are url, method, header, /,
  };
  for (const [query, pattern] of Object.entries(refused)) {
    const said = parse(query);
    assert.ok(typeof said === "string" && pattern.test(said), `${query}: ${JSON.stringify(said)}`);
  }
});
