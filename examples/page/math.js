// Calls the `math` program from a browser: Connect is a POST of JSON, so it takes no library.

const server = new URLSearchParams(location.search).get("server");

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

for (const [method, args] of [
  ["add", { a: 10, b: 20 }],
  ["factorial", { n: 20 }],
  ["divide", { a: 1, b: 0 }],
]) {
  const answer = await call(method, args).catch((error) => error.message);
  const item = document.createElement("li");
  item.textContent = `${method} ${JSON.stringify(args)}: ${JSON.stringify(answer)}`;
  document.getElementById("answers").append(item);
}
