// gRPC's interoperability cases with @grpc/grpc-js.
//
//     node interop.js client 127.0.0.1:PORT    makes all cases, and prints `passed CASE` for each
//     node interop.js server                   serves at a free port, which it prints
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const proto = fileURLToPath(new URL("../interop/proto/test.proto", import.meta.url));
const { TestService } = grpc.loadPackageDefinition(loader.loadSync(proto, { keepCase: true, defaults: true })).grpc.testing;
const INITIAL = "x-grpc-test-echo-initial";
const TRAILING = "x-grpc-test-echo-trailing-bin";
const UPLOADS = [27182, 8, 1828, 45904];
const DOWNLOADS = [31415, 9, 2653, 58979];
const LARGE_REQUEST = 271828;
const LARGE_RESPONSE = 314159;
// A flag of a message, which it takes where streams of text have an encoding.
const NO_COMPRESS = 2;

const zeros = (size) => ({ body: Buffer.alloc(size) });

// The server.

function failure({ response_status: asked }) {
  return asked ? { code: asked.code, details: asked.message } : null;
}

function trailers(call) {
  const came = call.metadata.get(TRAILING);
  const made = new grpc.Metadata();
  came.forEach((value) => made.set(TRAILING, value));
  return made;
}

function sendMetadata(call) {
  const made = new grpc.Metadata();
  call.metadata.get(INITIAL).forEach((value) => made.set(INITIAL, value));
  call.sendMetadata(made);
}

const service = {
  EmptyCall: (_call, done) => done(null, {}),
  UnaryCall(call, done) {
    sendMetadata(call);
    done(failure(call.request), { payload: zeros(call.request.response_size) }, trailers(call));
  },
  StreamingOutputCall(call) {
    for (const { size } of call.request.response_parameters) call.write({ payload: zeros(size) });
    call.end();
  },
  StreamingInputCall(call, done) {
    let sum = 0;
    call.on("data", ({ payload }) => (sum += payload.body.length));
    call.on("end", () => done(null, { aggregated_payload_size: sum }));
  },
  FullDuplexCall(call) {
    sendMetadata(call);
    call.on("data", (request) => {
      const failed = failure(request);
      if (failed) return call.emit("error", failed);
      for (const { size } of request.response_parameters) call.write({ payload: zeros(size) });
    });
    call.on("end", () => call.end(trailers(call)));
  },
};

function serve() {
  const server = new grpc.Server();
  server.addService(TestService.service, service);
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(port);
  });
}

// The client.

function unary(client, method, request, metadata = new grpc.Metadata()) {
  return new Promise((resolve) => {
    const seen = {};
    const call = client[method](request, metadata, (error, value) => Object.assign(seen, { error, value }));
    call.on("metadata", (initial) => (seen.initial = initial));
    call.on("status", (status) => resolve({ ...seen, status }));
  });
}

const exchange = (size, wanted) => ({
  payload: zeros(size),
  response_parameters: wanted.map((size) => ({ size })),
});

/** Collects what a stream brings until its status. */
function collected(call) {
  const sizes = [];
  return new Promise((resolve) => {
    const seen = { sizes };
    call.on("data", ({ payload }) => sizes.push(payload.body.length));
    call.on("error", () => {});
    call.on("metadata", (initial) => (seen.initial = initial));
    call.on("status", (status) => resolve({ ...seen, status }));
  });
}

function unimplemented(client, name) {
  const same = (bytes) => bytes;
  return new Promise((resolve) => {
    client.makeUnaryRequest(`/grpc.testing.${name}/UnimplementedCall`, same, same, Buffer.alloc(0), (error) => {
      assert.equal(error.code, grpc.status.UNIMPLEMENTED);
      resolve();
    });
  });
}

async function fails(client, text) {
  const response_status = { code: grpc.status.UNKNOWN, message: text };
  const { status } = await unary(client, "UnaryCall", { response_status });
  const call = client.FullDuplexCall();
  call.write({ response_status });
  const duplex = await collected(call);
  for (const it of [status, duplex.status]) {
    assert.deepEqual([it.code, it.details], [grpc.status.UNKNOWN, text]);
  }
}

const cases = {
  async empty_unary(client) {
    assert.deepEqual((await unary(client, "EmptyCall", {})).value, {});
  },
  async large_unary(client) {
    const request = { response_size: LARGE_RESPONSE, payload: zeros(LARGE_REQUEST) };
    const { value } = await unary(client, "UnaryCall", request);
    assert.ok(value.payload.body.equals(Buffer.alloc(LARGE_RESPONSE)));
  },
  async client_streaming(client) {
    const sum = await new Promise((resolve, reject) => {
      const call = client.StreamingInputCall((error, value) => (error ? reject(error) : resolve(value)));
      UPLOADS.forEach((size) => call.write({ payload: zeros(size) }));
      call.end();
    });
    assert.equal(sum.aggregated_payload_size, 74922);
  },
  async server_streaming(client) {
    const seen = await collected(client.StreamingOutputCall(exchange(0, DOWNLOADS)));
    assert.deepEqual(seen.sizes, DOWNLOADS);
    assert.equal(seen.status.code, grpc.status.OK);
  },
  async ping_pong(client) {
    const call = client.FullDuplexCall();
    const end = collected(call);
    for (const [at, up] of UPLOADS.entries()) {
      const answered = new Promise((resolve) => call.once("data", resolve));
      call.write(exchange(up, [DOWNLOADS[at]]));
      await answered;
    }
    call.end();
    const seen = await end;
    assert.deepEqual(seen.sizes, DOWNLOADS);
    assert.equal(seen.status.code, grpc.status.OK);
  },
  async empty_stream(client) {
    const call = client.FullDuplexCall();
    call.end();
    const seen = await collected(call);
    assert.deepEqual([seen.sizes, seen.status.code], [[], grpc.status.OK]);
  },
  async custom_metadata(client) {
    const metadata = new grpc.Metadata();
    const bytes = Buffer.from("0a0b0a0b0a0b", "hex");
    metadata.set(INITIAL, "test_initial_metadata_value");
    metadata.set(TRAILING, bytes);
    const request = { response_size: LARGE_RESPONSE, payload: zeros(LARGE_REQUEST) };
    const one = await unary(client, "UnaryCall", request, metadata);
    const call = client.FullDuplexCall(metadata);
    call.write(exchange(LARGE_REQUEST, [LARGE_RESPONSE]));
    call.end();
    for (const seen of [one, await collected(call)]) {
      assert.deepEqual(seen.initial.get(INITIAL), ["test_initial_metadata_value"]);
      assert.deepEqual(seen.status.metadata.get(TRAILING), [bytes]);
    }
  },
  status_code_and_message: (client) => fails(client, "test status message"),
  special_status_message: (client) =>
    fails(client, "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n"),
  unimplemented_method: (client) => unimplemented(client, "TestService"),
  unimplemented_service: (client) => unimplemented(client, "UnimplementedService"),
  async cancel_after_begin(client) {
    const error = await new Promise((resolve) => {
      const call = client.StreamingInputCall(resolve);
      call.cancel();
    });
    assert.equal(error.code, grpc.status.CANCELLED);
  },
  async cancel_after_first_response(client) {
    const call = client.FullDuplexCall();
    const end = collected(call);
    const answered = new Promise((resolve) => call.once("data", resolve));
    call.write(exchange(UPLOADS[0], [DOWNLOADS[0]]));
    await answered;
    call.cancel();
    assert.equal((await end).status.code, grpc.status.CANCELLED);
  },
  async timeout_on_sleeping_server(client) {
    const call = client.FullDuplexCall(new grpc.Metadata(), { deadline: Date.now() + 300 });
    call.write(exchange(UPLOADS[0], []));
    assert.equal((await collected(call)).status.code, grpc.status.DEADLINE_EXCEEDED);
  },
  async client_compressed_unary(client, compressing) {
    const request = (value) => ({
      response_size: LARGE_RESPONSE,
      payload: zeros(LARGE_REQUEST),
      expect_compressed: { value },
    });
    const refused = await unary(client, "UnaryCall", request(true));
    assert.equal(refused.status.code, grpc.status.INVALID_ARGUMENT);
    for (const [one, expected] of [
      [compressing, true],
      [client, false],
    ]) {
      const { value } = await unary(one, "UnaryCall", request(expected));
      assert.ok(value.payload.body.equals(Buffer.alloc(LARGE_RESPONSE)));
    }
  },
  async client_compressed_streaming(_client, compressing) {
    const sum = await new Promise((resolve, reject) => {
      const call = compressing.StreamingInputCall((error, value) => (error ? reject(error) : resolve(value)));
      call.write({ payload: zeros(27182), expect_compressed: { value: true } });
      call.write({ payload: zeros(45904), expect_compressed: { value: false } }, NO_COMPRESS);
      call.end();
    });
    assert.equal(sum.aggregated_payload_size, 73086);
  },
  // Whether it came compressed is not told; that it could be read is.
  async server_compressed_unary(client) {
    for (const value of [true, false]) {
      const answer = await unary(client, "UnaryCall", {
        response_size: LARGE_RESPONSE,
        response_compressed: { value },
      });
      assert.ok(answer.value.payload.body.equals(Buffer.alloc(LARGE_RESPONSE)));
    }
  },
  async server_compressed_streaming(client) {
    const response_parameters = [
      { size: 31415, compressed: { value: true } },
      { size: 92653, compressed: { value: false } },
    ];
    const seen = await collected(client.StreamingOutputCall({ response_parameters }));
    assert.deepEqual(seen.sizes, [31415, 92653]);
    assert.equal(seen.status.code, grpc.status.OK);
  },
};

async function callAll(address) {
  const client = new TestService(address, grpc.credentials.createInsecure());
  const compressing = new TestService(address, grpc.credentials.createInsecure(), {
    "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip,
  });
  for (const [name, run] of Object.entries(cases)) {
    try {
      await run(client, compressing);
      console.log(`passed ${name}`);
    } catch (error) {
      console.log(`failed ${name}: ${error.stack}`);
    }
  }
  // Calls that were given up keep its channel open, and so the process.
  process.exit();
}

if (process.argv[2] === "server") serve();
else await callAll(process.argv[3]);
