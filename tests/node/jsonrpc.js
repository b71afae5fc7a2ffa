// jayson, over tcp, http or ws: `node jsonrpc.js CARRIER PORT` calls a server of ours; without a port it
// serves, prints its own, and ends with its standard input.

import assert from "node:assert";
import { once } from "node:events";
import jayson from "jayson";

const [, , carrier, port] = process.argv;

const clients = {
  tcp: () => jayson.Client.tcp({ host: "127.0.0.1", port: Number(port) }),
  http: () => jayson.Client.http({ hostname: "127.0.0.1", port: Number(port) }),
  async ws() {
    const client = jayson.Client.websocket({ url: `ws://127.0.0.1:${port}` });
    await once(client.ws, "open");
    return client;
  },
};

if (port) {
  const client = await clients[carrier]();
  const call = (...args) =>
    new Promise((resolve, reject) =>
      client.request(...args, (failure, answer) => (failure ? reject(failure) : resolve(answer))),
    );
  const check = (what, found, expected) => {
    assert.deepStrictEqual(found, expected, what);
    console.log("ok:", what);
  };
  check("by position", (await call("subtract", [5, 3])).result, 2);
  check("by name", (await call("subtract", { subtrahend: 3, minuend: 5 })).result, 2);
  check("text", (await call("echo", ["é😀\n\"\\"])).result, "é😀\n\"\\");
  check("a missing method", (await call("x", [])).error, { code: -32601, message: "Method not found" });
  const own = { code: -32011, message: "10 is left", data: { TooMuch: { left: 10 } } };
  check("an error", (await call("take", [11])).error, own);
  await call("notify_hello", [1], null);
  console.log("ok: a notification");
  const batch = [client.request("sum", [1, 2, 3]), client.request("sum", [2, 2, 3])];
  check("a batch", (await call(batch)).map((it) => it.result), [6, 7]);
  client.ws?.close();
} else {
  const server = new jayson.Server({
    add: ([a, b], callback) => callback(null, a + b),
    divide: ([a, b], callback) =>
      b === 0
        ? callback({ code: 7, message: "Division by zero is not allowed", data: { Divided: [a, b] } })
        : callback(null, a / b),
    echo: ([value], callback) => callback(null, value),
  });
  const ready = (listening) => console.log("port", listening.address().port);
  if (carrier === "ws") {
    const listening = server.websocket({ host: "127.0.0.1", port: 0 });
    listening.once("listening", () => ready(listening));
  } else {
    const listening = server[carrier]().listen(0, "127.0.0.1", () => ready(listening));
  }
  process.stdin.on("end", () => process.exit()).resume();
}
