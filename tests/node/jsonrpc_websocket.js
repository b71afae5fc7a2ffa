// Clients of JSON-RPC over WebSocket: node jsonrpc_websocket.js PART URL
import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";

const [, , part, url] = process.argv;

class Peer {
  constructor(options) {
    this.socket = new WebSocket(url, options);
    this.messages = [];
    this.waiting = [];
    this.id = 0;
    this.socket.on("message", (data, isBinary) => {
      assert(!isBinary);
      const message = JSON.parse(data);
      const next = this.waiting.shift();
      next ? next(message) : this.messages.push(message);
    });
    this.closed = once(this.socket, "close").then(([code, reason]) => ({ code, reason: `${reason}` }));
  }

  static async open(options = {}) {
    const peer = new Peer(options);
    await once(peer.socket, "open");
    return peer;
  }

  next() {
    const message = this.messages.shift();
    return message ? Promise.resolve(message) : new Promise((resolve) => this.waiting.push(resolve));
  }

  send(text) {
    this.socket.send(text);
  }

  async call(method, ...params) {
    const id = ++this.id;
    this.send(JSON.stringify({ jsonrpc: "2.0", method, params, id }));
    const answer = await this.next();
    assert.equal(answer.id, id, JSON.stringify(answer));
    return answer;
  }

  async result(method, ...params) {
    const answer = await this.call(method, ...params);
    assert("result" in answer, JSON.stringify(answer));
    return answer.result;
  }

  // The next call's answer, whatever items come before it.
  async resultBehindItems(method, ...params) {
    const id = ++this.id;
    this.send(JSON.stringify({ jsonrpc: "2.0", method, params, id }));
    for (;;) {
      const message = await this.next();
      if (message.id === id) return message.result;
      assert.equal(typeof message.params.subscription, "string");
    }
  }
}

async function eventually(what, holds) {
  for (let left = 2000; left > 0; left--) {
    if (await holds()) return;
    await sleep(10);
  }
  assert.fail(`${what}: not in time`);
}

const parts = {
  async calls() {
    const peer = await Peer.open();
    assert.equal(await peer.result("test.v1.Feed.add", 2, 3), 5);
    assert.equal(await peer.result("add", 2, 3), 5);
    const large = "ü".repeat(300_000);
    assert.equal(await peer.result("echo", large), large);
    // White space and line ends between the parts, and a binary message.
    peer.socket.send(Buffer.from('{"jsonrpc": "2.0",\n"method": "add",\r\n"params": [1, 1],\n"id": "x"}'));
    assert.deepEqual(await peer.next(), { jsonrpc: "2.0", result: 2, id: "x" });
    peer.send("{");
    assert.equal((await peer.next()).error.code, -32700);
    peer.send('[{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1},{"jsonrpc":"2.0","method":"add","params":[1,2]},1]');
    const batch = await peer.next();
    assert.deepEqual(batch.map((it) => it.result ?? it.error.code), [3, -32600]);
    peer.socket.ping("hello");
    const [payload] = await once(peer.socket, "pong");
    assert.equal(`${payload}`, "hello");
    peer.socket.close(3000, "enough");
    assert.equal((await peer.closed).code, 3000);
    // A name for what is spoken.
    const named = new WebSocket(url, ["soap", "jsonrpc"]);
    await once(named, "open");
    assert.equal(named.protocol, "jsonrpc");
    named.close();
    const other = new WebSocket(url, ["soap"]);
    const [error] = await once(other, "error");
    assert.match(error.message, /400/);
    const page = new WebSocket(url, { origin: "https://evil.example" });
    assert.match((await once(page, "error"))[0].message, /403/);
    const tooLarge = await Peer.open();
    tooLarge.send("x".repeat((16 << 20) + 1));
    const closed = await tooLarge.closed;
    assert.equal(closed.code, 1009);
    assert.match(closed.reason, /max_message/);
  },

  async compressed() {
    const peer = await Peer.open({ perMessageDeflate: { threshold: 0 } });
    assert.match(peer.socket.extensions, /permessage-deflate/);
    assert.equal(await peer.result("add", 2, 3), 5);
    const before = peer.socket._socket.bytesRead;
    const large = "abc".repeat(100_000);
    for (let again = 0; again < 3; again++) assert.equal(await peer.result("echo", large), large);
    const read = peer.socket._socket.bytesRead - before;
    assert(read < 20_000, `${read} bytes for 900,000`);
    // A hundred megabytes in a hundred kilobytes.
    peer.send(" ".repeat(100 << 20));
    const closed = await peer.closed;
    assert.equal(closed.code, 1009);
    const plain = await Peer.open({ perMessageDeflate: false });
    assert.equal(await plain.result("add", 2, 3), 5);
    plain.socket.close();
  },

  async subscriptions() {
    const peer = await Peer.open();
    const id = await peer.result("count", 3);
    assert.equal(typeof id, "string");
    for (const expected of [0, 1, 2]) {
      const notification = { jsonrpc: "2.0", method: "count", params: { subscription: id, result: expected } };
      assert.deepEqual(await peer.next(), notification);
    }
    const end = { jsonrpc: "2.0", method: "count", params: { subscription: id, error: null } };
    assert.deepEqual(await peer.next(), end);
    assert.equal(await peer.result("rpc.unsubscribe", id), false, "it is over");
    const failing = await peer.result("test.v1.Feed.count_and_fail", 1);
    assert.notEqual(failing, id);
    assert.equal((await peer.next()).params.result, 0);
    const { subscription, error } = (await peer.next()).params;
    assert.equal(subscription, failing);
    assert.deepEqual(error, { code: -32015, message: "no more" });
    // One that is ended by its reader is gone.
    const endless = await peer.result("flow", 10);
    assert.equal(await peer.resultBehindItems("rpc.unsubscribe", endless), true);
    await eventually("the stream is dropped", async () => (await peer.resultBehindItems("open")) === 0);
    peer.messages = [];
    // Wrong ends, and where no stream can be.
    assert.equal((await peer.call("rpc.unsubscribe")).error.code, -32602);
    assert.equal(await peer.result("rpc.unsubscribe", "0x7f"), false);
    peer.send('[{"jsonrpc":"2.0","method":"count","params":[1],"id":1}]');
    assert.equal((await peer.next())[0].error.code, -32601);
    peer.send('{"jsonrpc":"2.0","method":"count","params":[1]}');
    assert.equal((await peer.call("count", "x")).error.code, -32602);
    // Three at once, and no fourth.
    const waiting = await Peer.open();
    for (let i = 0; i < 3; i++) await waiting.resultBehindItems("eth_subscribe", "newHeads");
    const number = ++waiting.id;
    waiting.send(JSON.stringify({ jsonrpc: "2.0", method: "count", params: [1], id: number }));
    for (;;) {
      const message = await waiting.next();
      if (message.id !== number) continue;
      assert.match(message.error.message, /max_subscriptions/);
      break;
    }
    // A connection takes its streams along.
    waiting.socket.terminate();
    await eventually("every stream is dropped", async () => (await peer.result("open")) === 0);
    peer.socket.close();
  },

  async slow() {
    const peer = await Peer.open();
    const watcher = await Peer.open();
    await peer.result("flow", 1000);
    peer.socket.pause();
    let before = -1;
    await eventually("no more is made than can be written", async () => {
      await sleep(100);
      const made = await watcher.result("made");
      const stands = made === before;
      before = made;
      return stands;
    });
    // The buffers of both sockets, and ours.
    assert(before < 20_000, `${before} items of 1000 bytes wait`);
    let next = peer.messages.length;
    peer.socket.resume();
    await eventually("it goes on", async () => (await watcher.result("made")) > before + 1000);
    assert(peer.messages.length > next);
    peer.socket.terminate();
    watcher.socket.close();
  },

  async silent() {
    const lively = await Peer.open();
    let pings = 0;
    lively.socket.on("ping", () => pings++);
    await eventually("the server pings", async () => pings >= 3);
    assert.equal(await lively.result("add", 1, 1), 2);
    const dead = await Peer.open({ autoPong: false });
    await dead.closed;
    assert.equal(lively.socket.readyState, WebSocket.OPEN);
    lively.socket.close();
  },

  async ethereum() {
    const { WebSocketProvider } = await import("ethers");
    const provider = new WebSocketProvider(new WebSocket(url));
    const blocks = [];
    await provider.on("block", (number) => blocks.push(number));
    await eventually("there are blocks", async () => blocks.length >= 20);
    await provider.off("block");
    blocks.forEach((number, index) => assert.equal(number, blocks[0] + index));
    const watcher = await Peer.open();
    await eventually("nobody listens", async () => (await watcher.result("open")) === 0);
    watcher.socket.close();
    await provider.destroy();
  },

  async many() {
    const peer = await Peer.open();
    const started = performance.now();
    await peer.result("count", 50_000);
    for (let expected = 0; expected < 50_000; expected++) {
      assert.equal((await peer.next()).params.result, expected);
    }
    assert.equal((await peer.next()).params.error, null);
    const seconds = (performance.now() - started) / 1000;
    console.log(`${Math.round(50_000 / seconds)} updates a second`);
    peer.socket.close();
  },

  async drain() {
    const peer = await Peer.open();
    const idle = await Peer.open();
    await peer.result("count", 1);
    await peer.next();
    assert.equal((await peer.next()).params.error, null);
    assert.equal(await peer.result("stop"), null);
    assert.equal((await peer.closed).code, 1001);
    assert.equal((await idle.closed).code, 1001);
  },
};

await parts[part]();
process.exit(0);
