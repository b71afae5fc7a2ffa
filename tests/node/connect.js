// connect-node as client and as server, for tests/connect:
//
//   node connect.js client SCHEMA URL            makes every combination, and says which passed
//   node connect.js server SCHEMA COMPRESSION BELOW    serves on a free port, which is its first line
//
// BELOW is the only version of HTTP that the server knows, in TLS or not: http1, http2, https1 or https2. The
// certificate of both sides of TLS is in the environment.
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  compressionGzip,
  connectNodeAdapter,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";

const [role, schema, target, below] = process.argv.slice(2);
const tls = { cert: process.env.CERTIFICATE, key: process.env.KEY };
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, Buffer.from(schema, "base64")));
const Matrix = registry.getService("matrix.v1.Matrix");
const Trouble = registry.getMessage("matrix.v1.Trouble");

const SHORT = 50;
const ask = (more) => ({ text: "text ☺", number: 1n << 53n, size: 2000, ...more });

function assert(condition, what) {
  if (!condition) throw new Error(`not as expected: ${what}`);
}

function assertGood(answer) {
  assert(answer.text === "text ☺" && answer.number === 1n << 53n, "the answer");
  assert(answer.body.length === 2000 && answer.body.every((byte) => byte === 7), "its body");
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("it did not fail");
}

function assertFailure(error, code) {
  assert(error.code === code && error.rawMessage === "oops!", `the failure ${error}`);
  assert(error.metadata.get("x-tail") === "failed", `the metadata of ${error}`);
}

function assertDetails(error) {
  assertFailure(error, Code.NotFound);
  const details = error.findDetails(Trouble);
  assert(details.length === 1 && details[0].reason === "why", `the details of ${error}`);
}

async function collect(stream) {
  const all = [];
  for await (const answer of stream) all.push(answer);
  return all;
}

async function* asks(...all) {
  yield* all;
}

// Calls with metadata, and checks what comes back.
async function withMetadata(call) {
  let head, tail;
  await call({
    headers: { "x-ask": "value", "x-ask-bin": "AQID" },
    onHeader: (headers) => (head = headers),
    onTrailer: (trailers) => (tail = trailers),
  });
  assert(head.get("x-head") === "value", "the head");
  assert(tail.get("x-tail") === "value" && tail.get("x-tail-bin") === "AQID", "the tail");
}

const clientCases = {
  unary: (client) => withMetadata(async (options) => assertGood(await client.unary(ask(), options))),
  unary_large: async (client) => {
    const answer = await client.unary(ask({ size: 200_000, text: "x".repeat(100_000) }));
    assert(answer.body.length === 200_000 && answer.text.length === 100_000, "the length");
  },
  unary_read: (client) => withMetadata(async (options) => assertGood(await client.read(ask(), options))),
  unary_fails: async (client) => {
    for (let code = 1; code <= 16; code++) {
      assertFailure(await failure(client.unary(ask({ code }))), code);
    }
  },
  unary_fails_with_details: async (client) => assertDetails(await failure(client.read(ask({ code: 5 })))),
  unary_times_out: async (client) => {
    const error = await failure(client.unary(ask({ hang: true }), { timeoutMs: SHORT }));
    assert(error.code === Code.DeadlineExceeded, `${error}`);
  },
  unary_is_cancelled: async (client) => {
    const stop = new AbortController();
    const call = failure(client.unary(ask({ hang: true }), { signal: stop.signal }));
    setTimeout(() => stop.abort(), SHORT);
    assert((await call).code === Code.Canceled, "the code");
  },
  download: (client) =>
    withMetadata(async (options) => {
      const all = await collect(client.download(ask({ count: 5 }), options));
      assert(all.length === 5, "the count");
      all.forEach(assertGood);
    }),
  download_of_nothing: async (client) => assert((await collect(client.download(ask()))).length === 0, "the count"),
  download_fails: async (client) => {
    const all = [];
    const error = await failure(
      (async () => {
        for await (const answer of client.download(ask({ count: 2, code: 5 }))) all.push(answer);
      })(),
    );
    assertDetails(error);
    assert(all.length === 2, "the count");
  },
  download_is_dropped: async (client) => {
    for await (const answer of client.download(ask({ count: 1, hang: true }))) {
      assertGood(answer);
      break;
    }
  },
  download_times_out: async (client) => {
    const call = collect(client.download(ask({ count: 1, hang: true }), { timeoutMs: SHORT }));
    assert((await failure(call)).code === Code.DeadlineExceeded, "the code");
  },
  upload: (client) =>
    withMetadata(async (options) => {
      const numbers = Array.from({ length: 10 }, (_, index) => ask({ number: BigInt(index + 1) }));
      const answer = await client.upload(asks(...numbers), options);
      assert(answer.number === 55n, "the sum");
    }),
  upload_fails: async (client) => assertDetails(await failure(client.upload(asks(ask(), ask({ code: 5 }))))),
  chat: async (client) => {
    const all = await collect(client.chat(asks(ask({ count: 2 }), ask({ count: 1 }))));
    assert(all.length === 3, "the count");
    all.forEach(assertGood);
  },
  chat_in_turns: async (client) => {
    let next;
    const turn = () => new Promise((resolve) => (next = resolve));
    async function* inTurns() {
      for (let count = 0; count < 3; count++) {
        const answered = turn();
        yield ask({ count: 1 });
        await answered;
      }
    }
    let count = 0;
    for await (const answer of client.chat(inTurns())) {
      assertGood(answer);
      count++;
      next();
    }
    assert(count === 3, "the count");
  },
};

function setups() {
  const all = [];
  for (const useBinaryFormat of [true, false]) {
    for (const sendCompression of [undefined, compressionGzip]) {
      const nodeOptions = target.startsWith("https") ? { ca: tls.cert } : {};
      const options = { baseUrl: target, useBinaryFormat, sendCompression, compressMinBytes: 0, nodeOptions };
      const name = `${useBinaryFormat ? "proto" : "json"} ${sendCompression ? "gzip" : "identity"}`;
      for (const httpVersion of ["1.1", "2"]) {
        const more = { ...options, httpVersion };
        const connect = createConnectTransport({ ...more, useHttpGet: true });
        all.push([`connect ${httpVersion} ${name}`, connect, httpVersion]);
        all.push([`grpc-web ${httpVersion} ${name}`, createGrpcWebTransport(more), httpVersion]);
      }
      all.push([`grpc 2 ${name}`, createGrpcTransport({ ...options, httpVersion: "2" }), "2"]);
    }
  }
  return all;
}

async function runClient() {
  for (const [name, transport, httpVersion] of setups()) {
    const client = createClient(Matrix, transport);
    for (const [caseName, run] of Object.entries(clientCases)) {
      // Turns need both directions at once.
      if (caseName === "chat_in_turns" && httpVersion === "1.1") continue;
      try {
        await run(client);
        console.log(`passed ${name} ${caseName}`);
      } catch (error) {
        console.log(`failed ${name} ${caseName}: ${error}`);
      }
    }
  }
  // Connections that are kept open would keep the process.
  process.exit(0);
}

async function answer(wanted, context) {
  if (wanted.hang) {
    await new Promise((_, reject) => {
      context.signal.addEventListener("abort", () => reject(context.signal.reason));
    });
  }
  if (wanted.code) {
    const details = wanted.code === Code.NotFound ? [{ desc: Trouble, value: { reason: "why" } }] : [];
    throw new ConnectError("oops!", wanted.code, { "x-tail": "failed" }, details);
  }
  return { text: wanted.text, number: wanted.number, body: new Uint8Array(wanted.size).fill(7) };
}

async function* answers(wanted, context) {
  for (let count = 0; count < wanted.count; count++) {
    yield answer({ ...wanted, code: 0, hang: false }, context);
  }
  if (wanted.code || wanted.hang) yield answer(wanted, context);
}

function echoMetadata(context) {
  const asked = context.requestHeader.get("x-ask");
  const binary = context.requestHeader.get("x-ask-bin");
  if (asked) {
    context.responseHeader.set("x-head", asked);
    context.responseTrailer.set("x-tail", asked);
  }
  if (binary) context.responseTrailer.set("x-tail-bin", binary);
}

const service = {
  unary(wanted, context) {
    echoMetadata(context);
    return answer(wanted, context);
  },
  read(wanted, context) {
    return answer(wanted, context);
  },
  async *download(wanted, context) {
    echoMetadata(context);
    yield* answers(wanted, context);
  },
  async upload(all, context) {
    let sum = 0n;
    let last = ask();
    for await (last of all) sum += last.number;
    return answer({ ...last, number: sum }, context);
  },
  async *chat(all, context) {
    for await (const wanted of all) yield* answers(wanted, context);
  },
};

function runServer() {
  const compression = target === "gzip" ? { compressMinBytes: 0 } : { acceptCompression: [] };
  const routes = (router) => router.service(Matrix, service);
  const handler = connectNodeAdapter({ routes, ...compression });
  const server = {
    http1: () => http.createServer(handler),
    http2: () => http2.createServer(handler),
    https1: () => https.createServer(tls, handler),
    https2: () => http2.createSecureServer(tls, handler),
  }[below]();
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}

await (role === "client" ? runClient() : runServer());
