// Calls the `math` program from a browser, and follows a stream of it. Connect is a POST of JSON, and a stream of JSON-RPC
// is messages of a WebSocket, so neither takes a library.

const parameters = new URLSearchParams(location.search);
const server = parameters.get("server");
const answers = document.getElementById("answers");

function show(text) {
  const item = document.createElement("li");
  item.textContent = text;
  answers.append(item);
}

/** Calls a method; what it fails with is a code and a message. */
async function call(method, args) {
  const response = await fetch(`${server}/math.v1.Math/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(args),
  });
  const value = await response.json();
  if (!response.ok) throw new Error(`${value.code}: ${value.message}`);
  return value;
}

/** Subscribes to a stream, and gives each item to `take`. The promise is kept when the stream has ended well. */
function subscribe(method, params, take) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(server.replace("http", "ws"));
    const end = (error) => {
      socket.close();
      error ? reject(new Error(error.message)) : resolve();
    };
    socket.onopen = () => socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: `math.v1.Math.${method}`, params }));
    socket.onclose = () => reject(new Error("the connection was lost"));
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.id === 1) {
        if (message.error) end(message.error);
      } else if ("error" in message.params) {
        end(message.params.error);
      } else {
        take(message.params.result);
      }
    };
  });
}

for (const [method, args] of [
  ["add", { a: 10, b: 20 }],
  ["factorial", { n: 20 }],
  ["divide", { a: 1, b: 0 }],
]) {
  const answer = await call(method, args).catch((error) => error.message);
  show(`${method} ${JSON.stringify(args)}: ${JSON.stringify(answer)}`);
}

// Shown as often as the screen is drawn, however often something comes.
const live = document.getElementById("live");
let [next, lost, began] = [0, 0, 0];
function draw() {
  live.textContent = `${next}`;
  requestAnimationFrame(draw);
}
draw();

const [perSecond, seconds] = [10_000, 3];
await subscribe("ticks", [perSecond, seconds], (number) => {
  began ||= performance.now();
  lost += number - next;
  next = number + 1;
})
  .then(() => {
    const took = (performance.now() - began) / 1000;
    show(`ticks: ${next} of ${perSecond * seconds} came, ${lost} were lost, ${Math.round(next / took)} a second`);
  })
  .catch((error) => show(error.message));

// For the script that shows this page.
if (parameters.has("report")) await fetch("shown", { method: "POST", body: answers.innerText });
