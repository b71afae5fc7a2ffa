// A cache between, as a browser or a proxy is one: HTTP/2 without TLS on its own side, HTTP/1.1 on the other.
//
//     node cache.js 127.0.0.1:PORT    serves at a free port, which it prints
//
// An answer to a GET is kept by its URL for as long as `cache-control: max-age` says.
import http from "node:http";
import http2 from "node:http2";

const [host, port] = process.argv[2].split(":");
const OF_CONNECTION = new Set(["connection", "keep-alive", "transfer-encoding", "te", "host"]);
const kept = new Map();

const passedOn = (headers) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(":") && !OF_CONNECTION.has(name)));

function answer(response, { status, headers, body }) {
  response.writeHead(status, headers);
  response.end(body);
}

function keep(request, answered) {
  const lifetime = /max-age=(\d+)/.exec(answered.headers["cache-control"] ?? "");
  if (request.method === "GET" && answered.status === 200 && lifetime) {
    kept.set(request.url, { ...answered, until: Date.now() + 1000 * lifetime[1] });
  }
}

const server = http2.createServer((request, response) => {
  const found = request.method === "GET" && kept.get(request.url);
  if (found && found.until > Date.now()) return answer(response, found);
  const { method, url: path } = request;
  const asked = http.request({ host, port, method, path, headers: passedOn(request.headers) }, (came) => {
    const chunks = [];
    came.on("data", (chunk) => chunks.push(chunk));
    came.on("end", () => {
      const answered = { status: came.statusCode, headers: passedOn(came.headers), body: Buffer.concat(chunks) };
      keep(request, answered);
      answer(response, answered);
    });
  });
  asked.on("error", () => response.stream.close());
  request.pipe(asked);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
