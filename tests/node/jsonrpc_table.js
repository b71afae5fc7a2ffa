// Texts of JSON-RPC and what they are answered, as the files have it, over what the URL names (tcp:, http: or
// ws:): node jsonrpc_table.js URL FILE…
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import WebSocket from "ws";

const [, , url, ...files] = process.argv;

// What is sent behind a text without an answer, to see that there is none.
const NEXT = JSON.stringify({ jsonrpc: "2.0", method: "sum", params: [0, 0, 1], id: "next" });

const open = {
  async "tcp:"() {
    const { hostname, port } = new URL(url.replace("tcp:", "http:"));
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    const lines = createInterface({ input: socket });
    return { send: (text) => socket.write(`${text}\n`), onText: (take) => lines.on("line", take) };
  },
  async "ws:"() {
    const socket = new WebSocket(url);
    await once(socket, "open");
    return { send: (text) => socket.send(text), onText: (take) => socket.on("message", (data) => take(`${data}`)) };
  },
};

async function post(text) {
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: text });
  const answer = await response.text();
  assert.equal(response.status, answer === "" ? 204 : 200);
  return answer;
}

// Returns what asks: a text and whether it has an answer give the answer, or "".
async function asking() {
  const scheme = url.slice(0, url.indexOf(":") + 1);
  if (scheme === "http:") return post;
  const { send, onText } = await open[scheme]();
  const come = [];
  let wake = () => {};
  onText((text) => wake(come.push(text)));
  return async (text, hasAnswer) => {
    send(text);
    if (!hasAnswer) send(NEXT);
    while (come.length === 0) await new Promise((resolve) => (wake = resolve));
    const answer = come.shift();
    return hasAnswer || JSON.parse(answer).id !== "next" ? answer : "";
  };
}

// A failure without a message may have any.
function withoutMessages(found, expected) {
  if (Array.isArray(expected)) return found.map((it, index) => withoutMessages(it, expected[index]));
  if (expected.error && !("message" in expected.error)) delete found.error?.message;
  return found;
}

const ask = await asking();
let count = 0;
for (const part of files.flatMap((file) => readFileSync(file, "utf8").trim().split("\n\n"))) {
  const [, text, expected] = part.match(/^--> (.*)\n<-- ?(.*)$/) ?? [];
  if (text === undefined) continue;
  count += 1;
  const answer = await ask(text, expected !== "");
  if (expected === "" || answer === "") {
    assert.equal(answer, expected, text);
    continue;
  }
  const parsed = JSON.parse(expected);
  assert.deepEqual(withoutMessages(JSON.parse(answer), parsed), parsed, text);
  // Numbers that JavaScript rounds.
  for (const digits of expected.match(/\d{16,}/g) ?? []) assert(answer.includes(digits), answer);
}
console.log(count);
process.exit(0);
