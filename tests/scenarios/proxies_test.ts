/** S19: proxies of others in front of the daemon: HAProxy with PROXY headers, nginx and swaks with XCLIENT. */

import assert from "node:assert/strict";
import nodemailer from "nodemailer";
import { certified, writePair } from "../fakes/certificate.ts";
import { Client } from "../fakes/client.ts";
import { Daemon, dinopost, runToEnd } from "../fakes/daemon.ts";
import { freePort, Program } from "../fakes/program.ts";
import { testWith } from "../fakes/tools.ts";

/** Whom the proxies on 127.0.0.1 speak for. */
const CLIENT = "127.0.0.2";
const PROXIED = {
  SMTP_ALLOW_NETWORKS: CLIENT,
  SMTP_PROXIES: "127.0.0.1",
  SMTP_PROXY_PROTOCOL: "true",
};

/** Sends one message over a proxy; what the daemon says of it. */
async function send(
  daemon: Daemon,
  port: number,
  more: Record<string, unknown> = {},
): Promise<string> {
  const options = { host: "127.0.0.1", port, localAddress: CLIENT, ...more };
  const transport = nodemailer.createTransport(options);
  const letter = { from: "alice@example.com", to: "bob@example.net", text: "Hello" };
  const { response } = await transport.sendMail(letter);
  const [, id] = /^250 2\.0\.0 Message accepted for delivery (\w+)$/.exec(response)!;
  const [said] = await daemon.says(new RegExp(`message accepted id=${id} .*\n`));
  return said;
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function haproxy(program: string, server: string, backend = ""): Promise<Program> {
  const port = freePort();
  const config = `
global
  maxconn 100
defaults
  mode tcp
  timeout connect 20s
  timeout client 60s
  timeout server 60s
  timeout check 20s
listen mail
  bind 127.0.0.1:${port}
  unique-id-format %ci_%cp
  ${backend}
  server relay ${server}
`;
  return Program.start({
    program,
    files: { "haproxy.cfg": config },
    args: () => ["-db", "-f", "haproxy.cfg"],
    port,
  });
}

for (
  const header of [
    "send-proxy",
    "send-proxy-v2",
    "send-proxy-v2 proxy-v2-options unique-id,crc32c",
  ]
) {
  testWith("haproxy", `S19 HAProxy with ${header}: the client is its client`, async (program) => {
    await using daemon = await Daemon.start({ settings: PROXIED });
    await using proxy = await haproxy(program, `127.0.0.1:${daemon.port} ${header}`);
    assert.match(await send(daemon, proxy.port), / client=127\.0\.0\.2 (?!.*user=)/);
    using other = await Client.connect(proxy.port);
    assert.match(await other.rest(), /^554 5\.7\.1 Client address 127\.0\.0\.1 is not allowed/);
    using early = await Client.connect(daemon.port);
    await early.send("EHLO client.example\r\n");
    assert.equal(await early.rest(), "");
    await daemon.says(/warning: proxy without a PROXY header session=\d+ proxy=127\.0\.0\.1\n/);
  });
}

testWith(
  "haproxy",
  "S19 HAProxy with send-proxy-v2 before TLS from the beginning",
  async (program) => {
    await withFolder(async (folder) => {
      const { ca, pair } = await certified();
      await writePair(folder, pair);
      const settings = {
        ...PROXIED,
        SMTP_TLS_PORT: "0",
        SMTP_TLS_CERT: `${folder}/cert.pem`,
        SMTP_TLS_KEY: `${folder}/key.pem`,
      };
      await using daemon = await Daemon.start({ settings });
      const [, port] = await daemon.says(/smtps:\/\/127\.0\.0\.1:(\d+)/);
      await using proxy = await haproxy(program, `127.0.0.1:${port} send-proxy-v2`);
      const secure = { secure: true, tls: { ca, servername: "localhost" } };
      assert.match(await send(daemon, proxy.port, secure), / client=127\.0\.0\.2 (?!.*user=)/);
    });
  },
);

testWith("haproxy", "S19 HAProxy sees by itself that the server is well", async (program) => {
  const settings = { ...PROXIED, SMTP_ALLOW_NETWORKS: `${CLIENT},127.0.0.1` };
  await using daemon = await Daemon.start({ settings });
  const server = `127.0.0.1:${daemon.port} send-proxy-v2 check check-send-proxy inter 50ms`;
  await using proxy = await haproxy(program, server, "option smtpchk EHLO haproxy.example");
  await daemon.says(/(C: EHLO haproxy\.example\n[^]*){2}/);
  assert.match(await send(daemon, proxy.port), / client=127\.0\.0\.2 (?!.*user=)/);
});

/** Asked by nginx where a client's server is, and what its password is worth. */
function directory(port: () => number) {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ headers }) => {
    const isRight = headers.get("auth-method") === "none" ||
      (headers.get("auth-user") === "alice" && headers.get("auth-pass") === "secret");
    return new Response(null, {
      headers: isRight
        ? { "auth-status": "OK", "auth-server": "127.0.0.1", "auth-port": String(port()) }
        : { "auth-status": "Invalid login or password" },
    });
  });
}

const MODULES = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules"]
  .map((folder) => `${folder}/ngx_mail_module.so`);
const module = MODULES.find((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

function nginx(program: string, directory: Deno.HttpServer<Deno.NetAddr>, auth: string) {
  const port = freePort();
  const config = `
load_module ${module};
daemon off;
master_process off;
pid nginx.pid;
error_log stderr info;
events {}
mail {
  server_name mail.example;
  auth_http 127.0.0.1:${directory.addr.port}/;
  proxy_pass_error_message on;
  xclient on;
  server {
    listen 127.0.0.1:${port};
    protocol smtp;
    smtp_auth ${auth};
  }
}
`;
  return Program.start({
    program,
    files: { "nginx.conf": config },
    args: (folder) => ["-e", "stderr", "-p", `${folder}/`, "-c", `${folder}/nginx.conf`],
    port,
  });
}

const XCLIENT = {
  SMTP_ALLOW_NETWORKS: `127.0.0.1,${CLIENT},192.0.2.0/24`,
  SMTP_PROXIES: "127.0.0.1",
  SMTP_REQUIRE_LOCAL_DOMAIN: "true",
};
const mailModule = module === undefined ? "ngx_mail_module.so" : "nginx";

testWith(
  mailModule,
  "S19 nginx with XCLIENT: the client, and whom it proved to be",
  async (program) => {
    await using daemon = await Daemon.start({ settings: XCLIENT });
    const server = directory(() => daemon.port);
    try {
      await using proxy = await nginx(program, server, "plain login");
      // As a user it may send as whoever it likes.
      const said = await send(daemon, proxy.port, { auth: { user: "alice", pass: "secret" } });
      assert.match(said, / client=127\.0\.0\.2 .* user=alice\n/);
      await daemon.says(/C: XCLIENT ADDR=127\.0\.0\.2 .*LOGIN=alice/);
      const wrong = { auth: { user: "alice", pass: "wrong" } };
      await assert.rejects(send(daemon, proxy.port, wrong), /Invalid login/);
    } finally {
      await server.shutdown();
    }
  },
);

testWith(
  mailModule,
  "S19 nginx with XCLIENT and no logins: its client is nobody",
  async (program) => {
    const settings = { ...XCLIENT, SMTP_LOCAL_DOMAINS: "example.com" };
    await using daemon = await Daemon.start({ settings });
    const server = directory(() => daemon.port);
    try {
      await using proxy = await nginx(program, server, "none");
      assert.match(await send(daemon, proxy.port), / client=127\.0\.0\.2 (?!.*user=)/);
      await daemon.says(/C: XCLIENT ADDR=127\.0\.0\.2 /);
      assert.doesNotMatch(daemon.output, /LOGIN=/);
    } finally {
      await server.shutdown();
    }
  },
);

testWith(
  "swaks",
  "S19 swaks with XCLIENT, at once and in parts: it stands in the trace",
  async (swaks) => {
    await withFolder(async (folder) => {
      const settings = { ...XCLIENT, SMTP_QUEUE_PATH: `${folder}/spool` };
      await using daemon = await Daemon.start({ settings });
      const mail = [swaks, "--server", `127.0.0.1:${daemon.port}`, "--helo", "hello.example"];
      mail.push("--from", "alice@example.com", "--to", "bob@example.net");
      const name = ["--xclient-name", "client.example"];
      const address = ["--xclient-addr", "192.0.2.1", "--xclient-port", "4711"];
      const login = ["--xclient-login", "alice"];
      for (
        const claim of [
          [...name, ...address, ...login],
          [...name, "--xclient-delim", ...address, "--xclient-delim", ...login],
        ]
      ) {
        const { code, stdout } = await runToEnd([...mail, ...claim]);
        assert.equal(code, 0, stdout);
        const [, id] = /250 2\.0\.0 Message accepted for delivery (\w+)/.exec(stdout)!;
        const found = await runToEnd(dinopost("messages", "export", id), settings);
        assert.match(
          found.stdout,
          /^Received: from hello\.example \(client\.example \[192\.0\.2\.1\]\) by localhost\r?\n \(Dinopost\) with ESMTPA id /m,
        );
      }
      const refused = await runToEnd([...mail, "--xclient-addr", "198.51.100.1"]);
      assert.match(refused.stdout, /554 5\.7\.1 Client address 198\.51\.100\.1 is not allowed/);
      const nobody = await runToEnd([...mail, "--local-interface", CLIENT, ...address]);
      assert.match(nobody.stderr, /did not advertise XCLIENT/i);
    });
  },
);
