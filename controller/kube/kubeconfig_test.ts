/** A kubeconfig is read as kubectl reads it, and what is not supported is said. */
import { deepEqual, equal, rejects } from "node:assert/strict";
import { overridden, podAccess } from "./access.ts";
import { kubeconfigAccess } from "./kubeconfig.ts";

const base64 = (text: string) => new TextEncoder().encode(text).toBase64();

function testInFolder(name: string, test: (folder: string) => Promise<void>): void {
  Deno.test(`kubeconfig: ${name}`, async () => {
    const folder = Deno.makeTempDirSync();
    try {
      await test(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

function write(path: string, text: string): string {
  Deno.writeTextFileSync(path, text);
  return path;
}

const config = (cluster: string, user: string) => `
apiVersion: v1
kind: Config
current-context: main
contexts:
- {name: main, context: {cluster: c, user: u, namespace: team}}
- {name: other, context: {cluster: c, user: missing}}
clusters: [{name: c, cluster: {${cluster}}}]
users: [{name: u, user: {${user}}}]
`;

testInFolder("data counts before files, which lie beside it", async (folder) => {
  write(`${folder}/ca.pem`, "CA");
  write(`${folder}/key.pem`, "KEY");
  const file = write(
    `${folder}/config`,
    config(
      'server: "https://a:6443/", certificate-authority: ca.pem',
      `client-certificate: missing, client-certificate-data: ${
        base64("CERT")
      }, client-key: ${folder}/key.pem`,
    ),
  );
  const read = { server: "https://a:6443", authorities: ["CA"] };
  deepEqual(await kubeconfigAccess({ files: [file] }).read(), {
    ...read,
    certificate: { cert: "CERT", key: "KEY" },
    namespace: "team",
  });
  deepEqual(await kubeconfigAccess({ files: [file], context: "other" }).read(), {
    ...read,
    namespace: "default",
  });
});

testInFolder("of several files the first that names something counts", async (folder) => {
  const first = write(`${folder}/first`, "users: [{name: u, user: {token: first}}]\n");
  const second = write(`${folder}/second`, config('server: "https://b"', "token: second"));
  const { server, token } = await kubeconfigAccess({ files: [first, second] }).read();
  deepEqual([server, token], ["https://b", "first"]);
});

testInFolder("a token from a file is another one when the file is", async (folder) => {
  const file = write(`${folder}/config`, config('server: "https://a"', "tokenFile: token"));
  const access = kubeconfigAccess({ files: [file] });
  write(`${folder}/token`, "one\n");
  equal((await access.read()).token, "one");
  write(`${folder}/token`, "two\n");
  equal((await access.read()).token, "two");
});

testInFolder("a program gives credentials until they expire", async (folder) => {
  const credential = (expires: string) =>
    `{"status":{"token":"'$NAME-$1'","expirationTimestamp":"${expires}"}}`;
  const program = (expires: string) =>
    write(`${folder}/program`, `#!/bin/sh\necho run >>"$0.log"\necho '${credential(expires)}'\n`);
  const exec = "exec: {command: ./program, args: [x], env: [{name: NAME, value: n}]}";
  const file = write(`${folder}/config`, config('server: "https://a"', exec));
  const access = kubeconfigAccess({ files: [file] });
  const runs = () => Deno.readTextFileSync(`${folder}/program.log`).trim().split("\n").length;
  Deno.chmodSync(program("2001-01-01T00:00:00Z"), 0o700);
  equal((await access.read()).token, "n-x");
  await access.read();
  equal(runs(), 2);
  program("2999-01-01T00:00:00Z");
  await access.read();
  await access.read();
  equal(runs(), 3);
});

testInFolder("what is wrong with it is one line", async (folder) => {
  const wrong = async (text: string, pattern: RegExp, context?: string) => {
    const access = kubeconfigAccess({ files: [write(`${folder}/config`, text)], context });
    await rejects(access.read(), (error: Error) => {
      equal(error.message.includes("\n"), false);
      return pattern.test(error.message);
    });
  };
  await wrong("a: [", /^Cannot read ".*config": /);
  await wrong("{}", /^No context is chosen/);
  await wrong(config('server: "https://a"', ""), /^There is no context "no"/, "no");
  await wrong(config('server: "https://a"', "").replace("name: c,", "name: d,"), /no cluster "c"/);
  await wrong(config("insecure-skip-tls-verify: true, server: x", ""), /is not supported/);
  await wrong(config("server: x, certificate-authority: gone", ""), /gone": no such file/);
  await wrong(config("server: x", "client-certificate-data: '?'"), /is not base64/);
  await wrong(config("server: x", "exec: {command: ./gone}"), /^No credentials from ".*\/gone"/);
  const missing = kubeconfigAccess({ files: [`${folder}/missing`] });
  await rejects(missing.read(), /missing": no such file/);
});

testInFolder("in a pod there is none", async (folder) => {
  write(`${folder}/ca.crt`, "CA");
  write(`${folder}/token`, "t\n");
  write(`${folder}/namespace`, "weft-system");
  const variables: Record<string, string> = { KUBERNETES_SERVICE_HOST: "fd00::1" };
  const access = podAccess({ variable: (name) => variables[name] }, folder);
  deepEqual(await access?.read(), {
    server: "https://[fd00::1]:443",
    authorities: ["CA"],
    token: "t",
    namespace: "weft-system",
  });
  equal(podAccess({ variable: () => undefined }), null);
});

testInFolder("options count before what it says, and say who asks in its place", async (folder) => {
  write(`${folder}/other.pem`, "OTHER CA");
  const file = write(
    `${folder}/config`,
    config(
      'server: "https://a", certificate-authority-data: ""',
      "token: t, as: ann}}, {name: second, user: {token: other",
    ),
  );
  const source = kubeconfigAccess({ files: [file] });
  const changed = overridden(source, {
    server: "https://b/",
    certificateAuthority: `${folder}/other.pem`,
    token: "given",
    as: "bob",
    asGroup: ["dev"],
    asUid: "7",
    asUserExtra: ["scopes=view", "scopes=a=b", "x/y="],
    disableCompression: true,
    namespace: "n",
  });
  deepEqual(await changed.read(), {
    server: "https://b",
    authorities: ["OTHER CA"],
    token: "given",
    actsAs: {
      ...{ user: "bob", groups: ["dev"], uid: "7" },
      extra: { scopes: ["view", "a=b"], "x/y": [""] },
    },
    isUncompressed: true,
    namespace: "n",
  });
  equal((await source.read()).actsAs?.user, "ann");
  const second = kubeconfigAccess({ files: [file], user: "second" });
  equal((await second.read()).token, "other");
  await rejects(kubeconfigAccess({ files: [file], user: "none" }).read(), /no user "none"/);
  await rejects(kubeconfigAccess({ files: [file], cluster: "none" }).read(), /no cluster "none"/);
});
